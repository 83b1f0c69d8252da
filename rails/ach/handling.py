"""What people take down of the bank's word: that it refused a file, and how an item of its files was dealt with."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from rails.ach import words
from rails.ach.words import Word
from rails.models import AchEntryKind, AchFate, AchFile, AchFileState, AchInboundItem


class FileRefusal(ValueError):
    """A file that the bank can not have refused; `code` is stable."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class ItemDealtWith(ValueError):
    """An item that waits for nobody, or not any more."""

    code = "ach_item_dealt_with"

    def __init__(self) -> None:
        self.detail = "Nobody has to deal with this item, or somebody has."
        super().__init__(self.detail)


def refuse_file(file_id: int, *, reason: str, user: User, actor: str, now: datetime) -> AchFile:
    """Takes down that the bank refused a whole file: all of its entries come back. Raises FileRefusal."""
    with transaction.atomic():
        file = AchFile.objects.select_for_update(of=("self",)).filter(pk=file_id).first()
        if file is None:
            raise FileRefusal("ach_file_unknown", "There is no such file.")
        if file.state == AchFileState.REFUSED:
            raise FileRefusal("ach_file_refused", "The file was refused already.")
        if file.state != AchFileState.HANDED_OVER:
            raise FileRefusal("ach_file_not_handed_over", "The file is not at the bank yet.")
        if file.settled_at is not None:
            raise FileRefusal("ach_file_settled", "The entries of the file count as settled; returns come one by one.")
        entries = list(
            file.entries.exclude(kind=AchEntryKind.OFFSET)
            .select_for_update(of=("self",))
            .order_by("pk")
            .values_list("pk", flat=True)
        )
        words.write(
            Word(
                entry_id=entry_id,
                fate=AchFate.RETURNED,
                source=f"refusal of {file.name}",
                reason=f"The bank refused the file: {reason}",
                occurred_at=now,
            )
            for entry_id in entries
        )
        AchFile.objects.filter(pk=file.pk).update(
            state=AchFileState.REFUSED, refused_at=now, refused_by=user, refused_by_actor=actor, refused_reason=reason
        )
        file.refresh_from_db()
    return file


def deal_with(item_id: int, *, reason: str, user: User, actor: str, now: datetime) -> AchInboundItem:
    """Takes down how an item that waited was dealt with; it moves nothing. Raises ItemDealtWith."""
    changed = AchInboundItem.objects.filter(pk=item_id, waits=True).update(
        waits=False, dealt_by=user, dealt_by_actor=actor, dealt_at=now, dealt_reason=reason
    )
    if not changed:
        raise ItemDealtWith
    return AchInboundItem.objects.get(pk=item_id)
