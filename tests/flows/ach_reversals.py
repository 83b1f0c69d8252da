"""A payment by ACH that is taken back, and what the bank may say of it."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from rails import destinations, ledger
from rails.accounts import AccountCode, AccountKey
from rails.ach import handling, reversals
from rails.ach.configuration import AchConfiguration
from rails.ach.rail import AchRail
from rails.models import AchEntry, RailAttempt, Recipient, ReversalReason
from settlements import submitting, verify, work
from settlements.models import MilestoneSettlement
from settlements.statuses import WorkKind
from tests.factories import POD, a_recipient, a_user, an_intent, now, settlement_of
from tests.flows.resolving import as_if_committed, retry
from tests.rails.ach.bank import MONDAY, configured, days_later, sends
from tests.rails.ach.samples import RDFI, bank_file, returned

PAID = 700_000
# By then a reversal counts by itself.
LATE = 66


@pytest.fixture
def bank(tmp_path: Path, settings: Any) -> AchConfiguration:
    settings.ACH = configured(tmp_path)
    configuration: AchConfiguration = settings.ACH
    return configuration


@pytest.fixture
def recipient(bank: AchConfiguration) -> Recipient:
    return a_payable_recipient()


def a_payable_recipient() -> Recipient:
    recipient = a_recipient()
    account = {
        "routing_number": RDFI,
        "account_number": "5512345678",
        "account_type": "checking",
        "holder_name": "Bozza Haulage",
        "sec_code": "CCD",
    }
    destinations.propose(recipient.pk, [destinations.read("ach", account)], actor="test", now=now())
    return recipient


def submit(at: datetime) -> submitting.Report:
    report = submitting.submit(AchRail(), clock=lambda: at)
    as_if_committed()
    return report


def hear(days: float) -> None:
    submitting.hear(AchRail(), clock=lambda: days_later(days))
    as_if_committed()


def status(settlement: MilestoneSettlement) -> str:
    settlement.refresh_from_db()
    return settlement.status


def owes(settlement: MilestoneSettlement, number: int = 1) -> int:
    """What the recipient owes us of an attempt, in minor units."""
    return RailAttempt.objects.get(milestone_id=settlement.pk, number=number).owed_minor


def kinds(settlement: MilestoneSettlement) -> list[WorkKind]:
    return [item.kind for item in work.of_settlement(settlement.pk)]


def balances(recipient: Recipient) -> dict[str, int]:
    """Cost, bank, what is on its way, what we owe the recipient (as a liability), what it owes us."""
    of = {
        "cost": AccountKey(AccountCode.FREIGHT_COST, "USD"),
        "bank": AccountKey(AccountCode.BANK_ACCOUNT, "USD"),
        "on its way": AccountKey(AccountCode.ACH_CLEARING, "USD"),
        "payable": AccountKey(AccountCode.RECIPIENT_PAYABLE, "USD", recipient.pk),
        "receivable": AccountKey(AccountCode.RECIPIENT_RECEIVABLE, "USD", recipient.pk),
    }
    return {name: ledger.balance(key).minor for name, key in of.items() if ledger.balance(key).minor}


def proven() -> None:
    for _ in verify.everything():
        pass


class Case:
    """One payment that is at the bank, and its reversal as well, with all that may become of both."""

    def __init__(self, bank: AchConfiguration, recipient: Recipient) -> None:
        self.bank, self.recipient = bank, recipient
        self.settlement = settlement_of(an_intent(recipient=recipient, payment_method="ach"), POD)
        assert submit(MONDAY) == submitting.Report(accepted=1)
        self.paid = AchEntry.objects.get(milestone_id=self.settlement.pk, kind="PAYMENT")
        reversals.ask(
            bank,
            self.paid.pk,
            permitted_reason=ReversalReason.WRONG_AMOUNT,
            reason="Typed wrongly",
            user=a_user(),
            actor="user:c",
            now=MONDAY,
        )
        hear(1)
        self.sent = AchEntry.objects.get(milestone_id=self.settlement.pk, kind="REVERSAL")

    def payment_returned(self) -> None:
        self._send(returned("R06", trace=self.paid.trace_number, amount_minor=PAID), "payment.ach")

    def reversal_returned(self) -> None:
        item = returned("R31", trace=self.sent.trace_number, amount_minor=PAID, transaction_code="26")
        self._send(item, "reversal.ach")

    def went_through(self) -> None:
        """By the bank's word; by silence it comes to the same."""
        reversals.went_through(
            self.bank,
            self.sent.pk,
            bank_reference="ADV 4711",
            reason="Debited, says the bank",
            user=a_user(),
            actor="user:d",
            now=days_later(8),
        )

    def file_refused(self) -> None:
        handling.refuse_file(self.sent.file_id, reason="Lost", user=a_user(), actor="user:c", now=days_later(8))

    def paid_again(self, days: float = 70) -> None:
        assert "on its way" in retry(self.settlement, a_user())
        assert submit(days_later(days)) == submitting.Report(accepted=1)

    def _send(self, item: Any, name: str) -> None:
        sends(self.bank, bank_file(("CCD", [item])), name)
        # Read at once, told later: the outcomes stand until somebody listens.
        AchRail().hear(now=days_later(10))


@pytest.fixture
def case(bank: AchConfiguration, recipient: Recipient) -> Case:
    return Case(bank, recipient)
