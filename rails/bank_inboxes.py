"""What is kept of the banks' inboxes for people: their troubles, and how quarantined files were dealt with."""

from collections.abc import Mapping
from datetime import datetime

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from rails.base import SettlementProvider
from rails.models import AchInboundFile, BankFileDealing, InboxTrouble, WireMessage


class FileDealtWith(ValueError):
    """A file that waits for nobody, or not any more."""

    code = "bank_file_dealt_with"

    def __init__(self) -> None:
        self.detail = "Nobody has to deal with this file, or somebody has."
        super().__init__(self.detail)


def is_quarantined(file: AchInboundFile | WireMessage) -> bool:
    """Whether nothing of the file was applied, because something in it is wrong."""
    return bool(file.faults if isinstance(file, AchInboundFile) else file.fault)


def waits(file: AchInboundFile | WireMessage) -> bool:
    """Whether somebody has to deal with the file."""
    return is_quarantined(file) and not hasattr(file, "dealing")


def deal_with(
    file: AchInboundFile | WireMessage, *, reason: str, user: User, actor: str, now: datetime
) -> BankFileDealing:
    """Takes down how a quarantined file was dealt with; it moves nothing. Raises FileDealtWith."""
    if not is_quarantined(file):
        raise FileDealtWith
    which = {"ach_file": file} if isinstance(file, AchInboundFile) else {"wire_message": file}
    try:
        with transaction.atomic():
            return BankFileDealing.objects.create(**which, dealt_by=user, actor=actor, reason=reason, dealt_at=now)
    except IntegrityError as error:
        raise FileDealtWith from error


def tell_troubles(provider: SettlementProvider, troubles: Mapping[str, str]) -> None:
    """Takes down which troubles a rail's inbox has now, by file name ("" is all of it); the others have ended."""
    now = {(_printable(name)[-200:], _printable(words)) for name, words in troubles.items()}
    open_ones = {(row.name, row.words): row for row in InboxTrouble.objects.filter(rail=provider, ended_at=None)}
    if now == open_ones.keys():
        return
    ended = [row.pk for key, row in open_ones.items() if key not in now]
    new = [InboxTrouble(rail=provider, name=name, words=words) for name, words in sorted(now - open_ones.keys())]
    with transaction.atomic():
        InboxTrouble.objects.filter(pk__in=ended, ended_at=None).update(ended_at=Now())
        InboxTrouble.objects.bulk_create(new, ignore_conflicts=True)


def _printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in text)
