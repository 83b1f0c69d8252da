"""A wire from the event to the bank's word, and back: two officers, one file, and what a person takes down."""

import errno
import os
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction

from rails import destinations, handover, ledger, recipients, switches
from rails.accounts import AccountCode, AccountKey
from rails.base import SettlementProvider
from rails.models import RailAttempt, Recipient, WireAnswer, WireEntry, WireFile
from rails.money import Money
from rails.wire.configuration import WireConfiguration
from rails.wire.rail import WireRail
from settlements import approvals, candidates, intents, release, requests, submitting, verify, wires
from settlements.models import AuditEvent, MilestoneSettlement
from settlements.reasons import ReasonRefused
from settlements.statuses import SettlementStatus as S
from settlements.wires import WireWordRefused
from tests.factories import (
    CLAIM,
    HIGH,
    LOW,
    MEDIUM,
    PICKUP,
    POD,
    a_recipient,
    a_user,
    an_intent,
    approval_row,
    approve,
    now,
    post_event,
    settlement_of,
)
from tests.flows.resolving import retry
from tests.rails.wire.bank import CREDITOR, IBAN, MONDAY, at_the_bank, configured, look, read

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank(tmp_path: Path, settings: Any) -> WireConfiguration:
    settings.WIRE = configured(tmp_path)
    configuration: WireConfiguration = settings.WIRE
    return configuration


@pytest.fixture
def recipient(bank: WireConfiguration) -> Recipient:
    recipient = a_recipient()
    account = destinations.read("wire", {**CREDITOR, **IBAN})
    destinations.propose(recipient.pk, [account], actor="test", now=now())
    return recipient


@pytest.fixture
def clerk() -> User:
    return a_user()


FROM_QUEUE = f"""FROM settlements_milestonesettlement s JOIN settlements_paymentintent i ON i.id = s.intent_id
    WHERE s.id = %s AND {candidates.WAITS_FOR_PEOPLE}"""


def submit(at: datetime = MONDAY) -> submitting.Report:
    return submitting.submit(WireRail(), clock=lambda: at)


def waiting(recipient: Recipient) -> MilestoneSettlement:
    return settlement_of(an_intent(recipient=recipient, payment_method="wire"), POD)


def sent(recipient: Recipient) -> tuple[MilestoneSettlement, WireEntry]:
    settlement = waiting(recipient)
    for _ in range(2):
        approve(settlement, a_user())
    submit()
    settlement.refresh_from_db()
    assert settlement.status == S.APPROVED
    return settlement, WireEntry.objects.get(milestone_id=settlement.pk)


def balance(code: AccountCode) -> Money:
    return ledger.balance(AccountKey(code, "USD"))


def proven() -> None:
    for _ in verify.everything():
        pass


class TestTwoApprovers:
    def test_a_wire_waits_for_two_officers_however_low_its_risk(self, recipient: Recipient) -> None:
        settlement = waiting(recipient)
        assert (settlement.status, settlement.approvals_required) == (S.PENDING, 2)
        assert submit() == submitting.Report()
        approve(settlement, a_user())
        settlement.refresh_from_db()
        assert settlement.status == S.PENDING
        assert submit() == submitting.Report()
        approve(settlement, a_user())
        settlement.refresh_from_db()
        assert settlement.status == S.RELEASING
        assert submit() == submitting.Report(accepted=1)

    def test_the_same_officer_twice_is_one(self, recipient: Recipient) -> None:
        settlement, officer = waiting(recipient), a_user()
        approve(settlement, officer)
        with pytest.raises(Exception, match="already"):
            approve(settlement, officer)
        assert not RailAttempt.objects.exists()

    @pytest.mark.parametrize("officers", [0, 1])
    def test_the_database_lets_nobody_release_one_past_them(self, recipient: Recipient, officers: int) -> None:
        settlement = waiting(recipient)
        for _ in range(officers):
            approve(settlement, a_user())
        with pytest.raises(DatabaseError), transaction.atomic():
            MilestoneSettlement.objects.filter(pk=settlement.pk).update(status=S.RELEASING)

    @pytest.mark.parametrize("risk", [LOW, MEDIUM, HIGH])
    @pytest.mark.parametrize("event_type", [PICKUP, POD, CLAIM])
    def test_it_waits_in_the_queue_at_every_risk_and_event(
        self, recipient: Recipient, risk: Decimal, event_type: str
    ) -> None:
        intent = an_intent(risk=risk, recipient=recipient, payment_method="wire")
        settlement = settlement_of(intent, event_type)
        assert settlement.status == S.PENDING
        assert release.sweep(now=now()) == release.SweepReport()
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) {FROM_QUEUE}", [settlement.pk])
            assert cursor.fetchone()[0] == (settlement.amount_minor > 0 and settlement.strategy != "PENDING")
        (created,) = AuditEvent.objects.filter(settlement_id=settlement.pk, action="settlement_created")
        by_itself = settlement.amount_minor > 0 and settlement.strategy in {"IMMEDIATE", "DELAYED"}
        assert created.reason.endswith("; but a wire is released by two officers") is by_itself

    def test_changing_to_wire_calls_people_in_and_changing_away_lets_it_go(self, recipient: Recipient) -> None:
        switches.turn_off(provider=SettlementProvider.INTERNAL_LEDGER, reason="audit", actor="test", now=now())
        intent = an_intent(recipient=recipient)
        settlement = settlement_of(intent, POD)
        assert settlement.status == S.DELAYED
        intents.set_payment_method(intent.pk, "wire", actor="test", now=now())
        settlement.refresh_from_db()
        assert (settlement.status, settlement.approvals_required) == (S.PENDING, 2)
        switches.turn_on(provider=SettlementProvider.INTERNAL_LEDGER, reason="done", actor="test", now=now())
        assert release.sweep(now=now()).released == 0
        intents.set_payment_method(intent.pk, "internal_ledger", actor="test", now=now())
        assert release.sweep(now=now()).released == 1
        settlement.refresh_from_db()
        assert settlement.status == S.APPROVED
        proven()

    def test_what_is_delayed_keeps_its_date_when_it_leaves_wire(self, recipient: Recipient) -> None:
        intent = an_intent(risk=MEDIUM, recipient=recipient, payment_method="wire")
        settlement = settlement_of(intent, PICKUP)
        assert settlement.settlement_delayed_until is not None
        intents.set_payment_method(intent.pk, "internal_ledger", actor="test", now=now())
        assert release.sweep(now=now()).released == 0
        requests.settle(intent.pk, actor="test", now=now())
        settlement.refresh_from_db()
        assert settlement.status == S.PENDING
        assert settlement.blocked_reason, "the sweep has it, or nobody has"
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(
                "UPDATE settlements_milestonesettlement SET settlement_delayed_until = now() - interval '1 minute',"
                " retry_at = now() - interval '1 minute' WHERE id = %s",
                [settlement.pk],
            )
            cursor.execute("SET LOCAL session_replication_role = origin")
        release.sweep(now=now())
        settlement.refresh_from_db()
        assert settlement.status == S.APPROVED


class TestHandingOver:
    def test_it_is_approved_and_booked_once_the_file_is_with_the_bank(
        self, bank: WireConfiguration, recipient: Recipient
    ) -> None:
        settlement, entry = sent(recipient)
        assert settlement.reference == entry.end_to_end_id == f"CP-{settlement.pk}-1"
        (file,) = at_the_bank(bank)
        assert look(read(file), "PmtId/EndToEndId") == [settlement.reference]
        assert look(read(file), "InstdAmt") == ["7000.00"]
        assert balance(AccountCode.WIRE_CLEARING) == Money(700_000, "USD")
        assert balance(AccountCode.BANK_ACCOUNT) == Money(-700_000, "USD")
        proven()

    def test_what_comes_after_the_cut_off_is_in_the_next_file(
        self, bank: WireConfiguration, recipient: Recipient
    ) -> None:
        sent(recipient)
        late = waiting(recipient)
        for _ in range(2):
            approve(late, a_user())
        assert submit(MONDAY + timedelta(minutes=5)) == submitting.Report()
        late.refresh_from_db()
        assert late.status == S.RELEASING
        assert submit(MONDAY + timedelta(days=1)) == submitting.Report(accepted=1)
        assert len(at_the_bank(bank)) == 2

    def test_another_currencys_window_leaves_it_untouched(self, bank: WireConfiguration, recipient: Recipient) -> None:
        """So that it can still be withdrawn: it was never handed over, nor tried."""
        sent(recipient)
        late = waiting(recipient)
        for _ in range(2):
            approve(late, a_user())
        assert WireRail().is_open(now=MONDAY)  # for euros
        submit()
        attempt = RailAttempt.objects.get(milestone_id=late.pk)
        assert (attempt.state, attempt.tries) == ("PREPARED", 0)

    def test_a_destination_that_changes_after_a_crash_is_not_paid(
        self, bank: WireConfiguration, recipient: Recipient
    ) -> None:
        settlement = waiting(recipient)
        for _ in range(2):
            approve(settlement, a_user())
        RailAttempt.objects.update(state="SUBMITTED", submitted_at=now(), tries=1, leased_until=now())
        destinations.close(recipient.pk, "wire", reason="stolen", actor="test", now=now())
        assert submit() == submitting.Report(refused=1)
        assert at_the_bank(bank) == []
        settlement.refresh_from_db()
        assert settlement.status == S.FAILED

    def test_a_wire_is_not_written_for_an_attempt_that_is_not_being_submitted(
        self, bank: WireConfiguration, recipient: Recipient
    ) -> None:
        """A process that slept for long finds its payments given back, and its file is never committed."""
        settlement = waiting(recipient)
        for _ in range(2):
            approve(settlement, a_user())
        from tests.rails.wire.bank import order, pay

        (answer,) = pay(order(settlement.pk, recipient.pk, 700_000))
        assert "quicker" in str(answer)
        assert not WireFile.objects.exists()
        assert at_the_bank(bank) == []


def test_a_full_disk_is_told_with_what_waits_and_nothing_is_lost(
    bank: WireConfiguration, recipient: Recipient, monkeypatch: pytest.MonkeyPatch
) -> None:
    settlement = waiting(recipient)
    for _ in range(2):
        approve(settlement, a_user())
    with monkeypatch.context() as full:
        full.setattr(handover, "_write", no_space)
        assert submit() == submitting.Report(not_yet=1)
    attempt = RailAttempt.objects.get()
    assert (attempt.state, attempt.submitted_at) == ("PREPARED", None)
    assert "No space left on device" in attempt.error
    assert not WireFile.objects.exists()
    RailAttempt.objects.update(leased_until=None)
    assert submit() == submitting.Report(accepted=1)
    assert len(at_the_bank(bank)) == 1
    proven()


def no_space(*arguments: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class TestTheBanksWord:
    def test_confirmed_is_settled_under_the_banks_reference(self, recipient: Recipient, clerk: User) -> None:
        settlement, entry = sent(recipient)
        wires.confirm(entry.pk, bank_reference="IMAD 20261130", reason="on the statement", user=clerk, now=now())
        settlement.refresh_from_db()
        assert settlement.status == S.SETTLED
        assert balance(AccountCode.WIRE_CLEARING) == Money(0, "USD")
        assert WireAnswer.objects.get().heard_at is not None
        event = AuditEvent.objects.filter(settlement_id=settlement.pk).latest("sequence")
        assert event.triggered_by == f"user:{clerk.username}"
        assert event.reason == "Confirmed by the bank under IMAD 20261130: on the statement"
        proven()

    def test_refused_is_returned_and_another_attempt_may_follow(self, recipient: Recipient, clerk: User) -> None:
        settlement, entry = sent(recipient)
        wires.refuse(entry.pk, bank_reference="RJCT-1", reason="AC04 closed account", user=clerk, now=now())
        settlement.refresh_from_db()
        assert settlement.status == S.RETURNED
        assert balance(AccountCode.WIRE_CLEARING) == balance(AccountCode.BANK_ACCOUNT) == Money(0, "USD")
        proven()

    def test_whoever_took_down_the_refusal_does_not_approve_the_next(self, recipient: Recipient, clerk: User) -> None:
        settlement, entry = sent(recipient)
        wires.refuse(entry.pk, bank_reference="RJCT-1", reason="AC04 closed account", user=clerk, now=now())
        with pytest.raises(approvals.NotIndependent):
            retry(settlement, clerk)
        with pytest.raises(DatabaseError, match="does not approve its next"), transaction.atomic():
            approval_row(settlement, clerk)

    def test_whoever_took_down_the_return_does_not_approve_the_next(self, recipient: Recipient, clerk: User) -> None:
        settlement, entry = sent(recipient)
        wires.confirm(entry.pk, bank_reference="A-1", reason="seen", user=a_user(), now=now())
        wires.take_back(entry.pk, bank_reference="R-1", reason="AC04 closed account", user=clerk, now=now())
        settlement.refresh_from_db()
        assert settlement.status == S.RETURNED
        with pytest.raises(approvals.NotIndependent):
            retry(settlement, clerk)
        with pytest.raises(DatabaseError, match="does not approve its next"), transaction.atomic():
            approval_row(settlement, clerk)
        for _ in range(2):
            retry(settlement, a_user())
        settlement.refresh_from_db()
        assert settlement.status == S.RELEASING
        proven()

    def test_whoever_confirmed_it_may_approve_the_next_once_it_came_back(
        self, recipient: Recipient, clerk: User
    ) -> None:
        settlement, entry = sent(recipient)
        wires.confirm(entry.pk, bank_reference="A-1", reason="seen", user=clerk, now=now())
        wires.take_back(entry.pk, bank_reference="R-1", reason="AC04 closed account", user=a_user(), now=now())
        assert "another" in retry(settlement, clerk)

    @pytest.mark.parametrize("first", [wires.confirm, wires.refuse])
    @pytest.mark.parametrize("second", [wires.confirm, wires.refuse])
    def test_a_second_word_is_refused_and_changes_nothing(
        self, recipient: Recipient, clerk: User, first: Any, second: Any
    ) -> None:
        settlement, entry = sent(recipient)
        first(entry.pk, bank_reference="A-1", reason="the first", user=clerk, now=now())
        settlement.refresh_from_db()
        before = settlement.status
        with pytest.raises(WireWordRefused, match="irrevocable"):
            second(entry.pk, bank_reference="B-2", reason="the second", user=a_user(), now=now())
        settlement.refresh_from_db()
        assert settlement.status == before
        assert WireAnswer.objects.count() == 1

    def test_the_same_word_twice_is_one(self, recipient: Recipient, clerk: User) -> None:
        settlement, entry = sent(recipient)
        for _ in range(2):
            wires.confirm(entry.pk, bank_reference="A-1", reason="seen", user=clerk, now=now())
        assert WireAnswer.objects.count() == 1
        assert AuditEvent.objects.filter(settlement_id=settlement.pk, action="settled").count() == 1

    def test_a_return_is_a_fact_of_its_own_in_parts_or_whole(self, recipient: Recipient, clerk: User) -> None:
        settlement, entry = sent(recipient)
        wires.confirm(entry.pk, bank_reference="A-1", reason="seen", user=clerk, now=now())
        part = Money(250_000, "USD")
        wires.take_back(entry.pk, bank_reference="R-1", reason="partly back", amount=part, user=clerk, now=now())
        settlement.refresh_from_db()
        assert settlement.status == S.SETTLED
        assert balance(AccountCode.BANK_ACCOUNT) == Money(-450_000, "USD")
        with pytest.raises(WireWordRefused, match=r"4500\.00 USD"):
            wires.take_back(
                entry.pk, bank_reference="R-2", reason="x", amount=Money(450_001, "USD"), user=clerk, now=now()
            )
        wires.take_back(entry.pk, bank_reference="R-2", reason="the rest", user=clerk, now=now())
        settlement.refresh_from_db()
        assert settlement.status == S.RETURNED
        assert balance(AccountCode.BANK_ACCOUNT) == balance(AccountCode.WIRE_CLEARING) == Money(0, "USD")
        proven()

    def test_what_was_not_confirmed_does_not_come_back(self, recipient: Recipient, clerk: User) -> None:
        _, entry = sent(recipient)
        with pytest.raises(WireWordRefused, match="confirmed"):
            wires.take_back(entry.pk, bank_reference="R-1", reason="x", user=clerk, now=now())

    @pytest.mark.parametrize("reference", ["", "  ", "x" * 71, "a\x00b", "a\nb"])
    def test_it_needs_a_reference_and_a_reason(self, recipient: Recipient, clerk: User, reference: str) -> None:
        settlement, entry = sent(recipient)
        with pytest.raises(WireWordRefused) as refusal:
            wires.confirm(entry.pk, bank_reference=reference, reason="seen", user=clerk, now=now())
        assert refusal.value.field == "bank_reference"
        with pytest.raises(ReasonRefused):
            wires.confirm(entry.pk, bank_reference="A-1", reason=" ", user=clerk, now=now())
        settlement.refresh_from_db()
        assert settlement.status == S.APPROVED

    def test_a_word_that_was_left_untold_is_told_by_the_next_look(self, recipient: Recipient, clerk: User) -> None:
        settlement, entry = sent(recipient)
        WireAnswer.objects.create(
            entry=entry, word="CONFIRMED", bank_reference="A-1", reason="seen", said_by=clerk, actor="user:x"
        )
        submitting.hear(WireRail(), clock=now)
        settlement.refresh_from_db()
        assert settlement.status == S.SETTLED
        assert submitting.hear(WireRail(), clock=now) == {}


def test_the_provider_is_known_to_the_registry(bank: WireConfiguration) -> None:
    from rails import registry, switches

    assert "wire" in registry.enabled_methods()
    assert switches.is_on(providers=[SettlementProvider.WIRE]) == {SettlementProvider.WIRE: True}


def test_an_intent_by_wire_gets_its_milestones_in_any_order(recipient: Recipient) -> None:
    intent = an_intent(recipient=recipient, payment_method="wire")
    post_event(intent.shipment.shipment_id, PICKUP)
    assert settlement_of(intent, PICKUP).approvals_required == 2
    assert recipients.find(recipient_id=recipient.recipient_id) == recipient
