"""Rows of ACH, for tests that look at every page there is."""

from datetime import date, datetime, time

from django.contrib.auth.models import User
from django.db import transaction

from rails import destinations, recipients
from rails.models import (
    AchEntry,
    AchFile,
    AchInboundFile,
    AchInboundItem,
    AchOutcome,
    AchReversal,
    BankFileDealing,
    FileVerdict,
    InboxTrouble,
)


def load(now: datetime) -> None:
    """Two of each."""
    for number in (1, 2):
        _one_of_each(number, now)


def _one_of_each(number: int, now: datetime) -> None:
    """A payment that came back, its reversal that was too late, and what the bank sent of it."""
    recipient, _ = recipients.put(f"ROWS-ACH-{number}", "Rows Haulage", actor="user:ops1", now=now)
    account = {
        "routing_number": "231380104",
        "account_number": "5512345678",
        "account_type": "checking",
        "holder_name": "Rows Haulage",
        "sec_code": "CCD",
    }
    (place,) = destinations.propose(recipient.pk, [destinations.read("ach", account)], actor="user:ops1", now=now)
    day = date(2026, 11, 23 + number)
    with transaction.atomic():
        file = AchFile.objects.create(
            name=f"CPACH-ROWS-{number}.ach",
            window_day=day,
            window_cut_off=time(17),
            same_day=False,
            effective_entry_date=day,
            creation_date=day,
            id_modifier="A",
            sha256=f"{number:064}",
            entry_count=2,
            entry_hash=1,
            debits_minor=700_000,
            credits_minor=700_000,
            created_at=now,
        )
        made = {
            "file": file,
            "batch_number": number,
            "sec": "CCD",
            "rdfi": "231380104",
            "amount_minor": 700_000,
        }
        entry = AchEntry.objects.create(
            kind="PAYMENT",
            milestone_id=9_100_000 + number,
            attempt_number=1,
            trace_number=f"12104288{number:07}",
            transaction_code="22",
            destination=place,
            **made,
        )
        AchEntry.objects.create(kind="OFFSET", trace_number=f"12104288{100 + number:07}", transaction_code="27", **made)
    AchFile.objects.filter(pk=file.pk).update(lost_at=now, lost_words="it was never staged in this outbox")
    FileVerdict.objects.create(
        ach_file=file,
        verdict="AT_THE_BANK",
        bank_reference=f"BANK-{number}",
        reason="their desk has it",
        proposed_by=User.objects.earliest("pk"),
        proposed_actor="user:finance1",
    )
    said = {"taken_back_by": User.objects.earliest("pk"), "taken_back_actor": "user:finance1"}
    FileVerdict.objects.filter(ach_file=file).update(taken_back_reason="it was another file", taken_back_at=now, **said)
    AchFile.objects.filter(pk=file.pk).update(state="HANDED_OVER", handed_over_at=now)
    AchReversal.objects.create(
        entry=entry,
        permitted_reason="DUPLICATE",
        reason="paid twice",
        last_day=day,
        asked_by=User.objects.earliest("pk"),
        actor="user:ops1",
    )
    AchOutcome.objects.create(
        entry=entry, fate="RETURNED", source="file x, line 3", reason="R03 No account", occurred_at=now
    )
    faulty = AchInboundFile.objects.create(
        name="broken.ach",
        sha256=f"{10 + number:064}",
        size=9,
        actor="bank:ach",
        faults=[{"line": 3, "reason": "short"}],
    )
    BankFileDealing.objects.create(
        ach_file=faulty, dealt_by=User.objects.earliest("pk"), actor="user:finance1", reason="the bank sent it again"
    )
    InboxTrouble.objects.create(
        rail="ACH", name=f"returns-{number}.ach", words="Permission denied", ended_at=now if number == 1 else None
    )
    inbound = AchInboundFile.objects.create(
        name="returns.ach", sha256=f"{20 + number:064}", size=9, actor="bank:ach", item_count=1
    )
    AchInboundItem.objects.create(
        file=inbound,
        line=3,
        kind="RETURN",
        code="R03",
        trace_number=entry.trace_number,
        entry=entry,
        amount_minor=700_000,
        standing="APPLIED",
        words="R03 No account or unable to locate account.",
        waits=number == 2,
    )
