"""A row of each model of the back office's own, for tests of every page."""

from datetime import datetime, timedelta

from django.db import transaction

from rails.base import SettlementProvider
from rails.money import Money
from settlements import intents, office_log
from settlements.closing import closing
from settlements.house_entries import book_fee
from settlements.models import (
    ArchivedChain,
    AuditArchive,
    AuditEvent,
    BooksCheck,
    BooksDifference,
    Comparison,
    DifferenceResolution,
    Export,
)
from settlements.office_log import OfficeAction, OfficeDraft
from settlements.proof import checkpoints
from tests.factories import a_user, an_intent

_PROVEN = [{"check": "audit events are chained", "rows": 2, "seconds": "0.1"}]


def office_rows(now: datetime) -> None:
    """One row or more of each."""
    yesterday = now - timedelta(days=1)
    by = {"actor": "user:finance1", "reason": "a fee of the bank"}
    book_fee(SettlementProvider.ACH, Money(1_250, "USD"), reference="STATEMENT-1", now=yesterday, **by)
    closing.close(yesterday.date(), actor="user:finance1", now=now)
    with transaction.atomic():
        for subject in ("settlements", "audit"):
            data = {"rows": 2, "sha256": "0" * 64}
            draft = OfficeDraft(action=OfficeAction.EXPORTED, subject=subject, actor="user:finance1", data=data)
            office_log.record(draft, now=now)
    BooksCheck.objects.create(
        actor="beat",
        night=now.date(),
        started_at=now,
        finished_at=now,
        rows=2,
        proven=_PROVEN,
        notes=["Nothing is signed."],
    )
    BooksCheck.objects.create(
        actor="command:ops",
        started_at=now,
        finished_at=now,
        failed_check="office events are chained",
        difference="office event 2: hash does not match its content",
    )
    difference = BooksDifference.objects.create(
        identity="0" * 64,
        kind="CLEARING",
        provider="ACH",
        currency="USD",
        expected_minor=0,
        found_minor=1_250,
        occurred_at=now,
        found_at=now,
    )
    DifferenceResolution.objects.create(
        difference=difference,
        reason="a fee of the bank",
        resolved_by=a_user(username="finance-of-rows"),
        actor="user:finance1",
        resolved_at=now,
    )
    totals = {"ach USD": {"payments": 1, "on_their_way": 0, "clearing": 1_250}}
    Comparison.objects.create(actor="beat", started_at=now, payments=1, differences=1, totals=totals)
    export = Export.objects.create(
        dataset="settlements",
        version=1,
        delivery="FILE",
        asked={"filters": {}, "list": "", "query": ""},
        filter_words="everything",
        file_name="chainpay_settlements_v1.csv",
        actor="user:finance1",
        state="QUEUED",
        created_at=now,
    )
    Export.objects.filter(pk=export.pk).update(state="RUNNING", started_at=now)
    Export.objects.filter(pk=export.pk).update(
        state="READY",
        rows_done=2,
        rows_total=2,
        bytes_done=2_000_000,
        totals={"USD": "12.50"},
        sha256="0" * 64,
        finished_at=now,
        expires_at=now,
    )
    assert checkpoints.make(now=now)
    _an_archive(now)


def _an_archive(now: datetime) -> None:
    intent = an_intent(token__id=99_001)  # the demo has the first ones
    intents.cancel(intent.pk, reason="mistake", actor="user:ops1", now=now)
    last = AuditEvent.objects.filter(intent=intent).latest("sequence")
    with transaction.atomic():
        ArchivedChain.objects.create(
            archive_id=1, intent=intent, first_sequence=1, last_sequence=last.sequence, hash=last.hash
        )
        AuditArchive.objects.create(
            id=1,
            month=now.date().replace(day=1),
            number=1,
            file_name=f"audit-{now:%Y-%m}-1.jsonl.gz",
            sha256="0" * 64,
            size=2_000,
            chains=1,
            events=last.sequence,
            after_days=800,
            actor="command:ops",
            created_at=now,
        )
