"""Money that a provider refused or sent back: paid again, paid another way, or written off, as people decide."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from rails import destinations, ledger, recipients, registry, switches
from rails.accounts import AccountCode, AccountKey
from rails.base import RailOutcome, SettlementProvider
from rails.models import JournalEntry, RailAttempt, Recipient
from rails.money import Money
from settlements import approvals, intents, methods, objections, release, requests, retries, verify
from settlements.intents import ScheduleRequest
from settlements.models import Approval, AuditEvent, MilestoneSettlement
from settlements.reasons import ReasonRefused
from settlements.statuses import ScheduleType
from settlements.statuses import SettlementStatus as S
from tests.factories import HIGH, a_user, approval_row, approve, now, officer, version_of
from tests.flows.pretend_provider import PretendProvider, a_payable_recipient, notice, pretend_provider
from tests.flows.resolving import (
    as_if_committed,
    attempt_of,
    failed,
    paid,
    releasing,
    retry,
    returned,
    submit,
    tell,
    turn,
    write_off,
)
from tests.settlements.by_hand import change

pytestmark = pytest.mark.django_db
STRIPE = SettlementProvider.STRIPE
SMALL = {"amount": Decimal("1000")}


class PretendWire(PretendProvider):
    """A second provider, that takes wires."""

    def get_provider(self) -> SettlementProvider:
        return SettlementProvider.WIRE


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendProvider]:
    with pretend_provider(monkeypatch) as pretended:
        yield pretended


@pytest.fixture
def recipient(provider: PretendProvider) -> Recipient:
    return a_payable_recipient()


@pytest.fixture(params=[failed, returned])
def settlement(request: Any, provider: PretendProvider, recipient: Recipient) -> MilestoneSettlement:
    """One that one officer is enough for, and that failed or came back."""
    made: MilestoneSettlement = request.param(provider, recipient, **SMALL)
    assert made.approvals_required == 1
    return made


def proven() -> None:
    for _ in verify.everything():
        pass


def status_of(settlement: MilestoneSettlement) -> str:
    settlement.refresh_from_db()
    return settlement.status


class TestARetry:
    def test_is_an_approval_and_goes_out_as_the_next_attempt(
        self, provider: PretendProvider, settlement: MilestoneSettlement
    ) -> None:
        assert retry(settlement, a_user()) == "A new attempt is on its way to the provider"
        assert (status_of(settlement), attempt_of(settlement).number) == (S.RELEASING, 2)
        assert Approval.objects.get(settlement=settlement).reason == "the bank has mended it"
        assert submit(provider).accepted == 1
        assert (status_of(settlement), settlement.reference) == (S.APPROVED, f"tr_{settlement.pk}_2")
        proven()

    def test_says_so_in_the_history(self, settlement: MilestoneSettlement) -> None:
        user = a_user()
        before = settlement.status
        retry(settlement, user)
        events = AuditEvent.objects.filter(settlement=settlement).order_by("-sequence")[:2]
        assert [(event.action, event.from_status, event.to_status) for event in events] == [
            ("releasing", before, S.RELEASING),
            ("retry_approved", before, before),
        ]
        assert {event.triggered_by for event in events} == {f"user:{user.username}"}

    def test_above_the_four_eyes_amount_takes_two(self, provider: PretendProvider, recipient: Recipient) -> None:
        large = failed(provider, recipient, amount=Decimal("50000"))
        first, second = a_user(), a_user()
        assert retry(large, first).startswith("Approval recorded: 1 of 2")
        assert status_of(large) == S.FAILED
        with pytest.raises(approvals.AlreadyApprovedByYou):
            retry(large, first)
        retry(large, second)
        assert status_of(large) == S.RELEASING

    def test_needs_approvals_of_its_own_after_those_of_the_first_attempt(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        reviewed = releasing(recipient, risk=HIGH, **SMALL)
        approve(reviewed, a_user())
        provider.behave = provider.refuse
        submit(provider)
        assert status_of(reviewed) == S.FAILED
        assert release.sweep(now=now()).released == 0
        with pytest.raises(DatabaseError, match="more approvers"), transaction.atomic():
            change(reviewed, status=S.RELEASING)
        retry(reviewed, a_user())
        assert status_of(reviewed) == S.RELEASING

    def test_an_approval_is_good_for_one_attempt(self, provider: PretendProvider, recipient: Recipient) -> None:
        settlement = failed(provider, recipient, **SMALL)
        user = a_user()
        for number in (2, 3, 4):
            version = version_of(settlement.pk)
            retry(settlement, user)
            assert attempt_of(settlement).number == number
            provider.behave = provider.refuse
            submit(provider)
            with pytest.raises(approvals.StaleVersion):
                retries.retry(settlement.pk, officer=officer(user), reason="again", version=version, now=now())
        assert Approval.objects.filter(settlement=settlement).count() == 3
        proven()

    def test_without_a_reason_is_refused(self, settlement: MilestoneSettlement) -> None:
        with pytest.raises(ReasonRefused):
            retry(settlement, a_user(), reason="  ")

    def test_by_the_creator_of_the_intent_is_refused(self, provider: PretendProvider, recipient: Recipient) -> None:
        creator = a_user()
        mine = failed(provider, recipient, creator=creator, **SMALL)
        with pytest.raises(approvals.NotIndependent):
            retry(mine, creator)
        with pytest.raises(DatabaseError, match="creator"), transaction.atomic():
            approval_row(mine, creator)

    def test_by_whoever_mended_the_destination_is_refused(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        mine, editor = failed(provider, recipient, **SMALL), a_user()
        recipients.put(recipient.recipient_id, "Bozza & Sons", actor="test", now=now(), user=editor)
        with pytest.raises(approvals.NotIndependent):
            retry(mine, editor)
        assert retry(mine, a_user())

    def test_by_somebody_who_left_is_refused(self, settlement: MilestoneSettlement) -> None:
        with pytest.raises(approvals.NotStaff):
            retry(settlement, a_user(is_active=False))

    def test_after_the_recipient_changed_is_read_again_first(
        self, recipient: Recipient, settlement: MilestoneSettlement
    ) -> None:
        version = version_of(settlement.pk)
        recipients.put(recipient.recipient_id, "Bozza & Sons", actor="test", now=now())
        with pytest.raises(approvals.StaleVersion):
            retries.retry(settlement.pk, officer=officer(a_user()), reason="go", version=version, now=now())

    @pytest.mark.parametrize("status", sorted(set(S) - {S.FAILED, S.RETURNED}))
    def test_of_what_neither_failed_nor_came_back_is_refused(
        self, provider: PretendProvider, recipient: Recipient, status: S, behind_the_guards: Callable[..., None]
    ) -> None:
        settlement = failed(provider, recipient, **SMALL)
        behind_the_guards(
            "UPDATE settlements_milestonesettlement SET status = %s, reference = 'x', released_at = now(),"
            " settled_at = now(), settlement_delayed_until = now() WHERE id = %s",
            status,
            settlement.pk,
        )
        for act in (lambda: retry(settlement, a_user()), lambda: write_off(settlement, a_user()),
                    lambda: turn(settlement, "internal_ledger", a_user())):  # fmt: skip
            with pytest.raises(approvals.NotWaiting):
                act()
        assert not Approval.objects.exists()

    def test_is_no_decision_of_the_review_queue(self, settlement: MilestoneSettlement) -> None:
        with pytest.raises(approvals.NotWaiting):
            approve(settlement, a_user())
        with pytest.raises(approvals.NotWaiting):
            approvals.reject(
                settlement.pk, officer=officer(a_user()), reason="no", version=version_of(settlement.pk), now=now()
            )

    def test_that_may_not_go_now_waits_and_the_sweep_sends_it(
        self, provider: PretendProvider, settlement: MilestoneSettlement
    ) -> None:
        switches.turn_off(provider=STRIPE, reason="audit", actor="test", now=now())
        assert retry(settlement, a_user()) == "Approval recorded; the release waits: rail stripe is switched off"
        assert status_of(settlement) in {S.FAILED, S.RETURNED}
        assert settlement.blocked_reason == "rail stripe is switched off"
        assert release.sweep(now=now()).released == 0
        switches.turn_on(provider=STRIPE, reason="done", actor="test", now=now())
        assert release.sweep(now=now()).released == 1
        assert (status_of(settlement), attempt_of(settlement).number) == (S.RELEASING, 2)
        proven()

    def test_that_waits_is_void_when_the_destination_changed(
        self, provider: PretendProvider, recipient: Recipient, settlement: MilestoneSettlement
    ) -> None:
        switches.turn_off(provider=STRIPE, reason="audit", actor="test", now=now())
        retry(settlement, a_user())
        recipients.put(recipient.recipient_id, "Bozza & Sons", actor="test", now=now())
        switches.turn_on(provider=STRIPE, reason="done", actor="test", now=now())
        assert release.sweep(now=now()).released == 0
        status_of(settlement)
        assert settlement.blocked_reason == ""
        assert AuditEvent.objects.filter(settlement=settlement, action="approval_void").exists()

    def test_of_a_cancelled_intent_is_refused(self, provider: PretendProvider, settlement: MilestoneSettlement) -> None:
        intents.cancel(settlement.intent_id, reason="lost", actor="test", now=now())
        with pytest.raises(approvals.NotWaiting):
            retry(settlement, a_user())


class TestWhatTheProviderPaidThoughWeTookItForRefused:
    @pytest.fixture(params=[RailOutcome.ACCEPTED, RailOutcome.CONFIRMED, RailOutcome.PAYOUT_FAILED])
    def contradicted(self, request: Any, provider: PretendProvider, recipient: Recipient) -> MilestoneSettlement:
        settlement = failed(provider, recipient, **SMALL)
        as_if_committed()
        tell(notice(request.param, f"tr_{settlement.pk}_1", milestone_id=settlement.pk, attempt_number=1))
        return settlement

    def test_is_not_paid_again_but_may_be_written_off(self, contradicted: MilestoneSettlement) -> None:
        for act in (lambda: retry(contradicted, a_user()), lambda: turn(contradicted, "internal_ledger", a_user())):
            with pytest.raises(objections.PaidThoughRefused):
                act()
        assert not Approval.objects.exists()
        write_off(contradicted, a_user())
        assert status_of(contradicted) == S.CANCELLED

    def test_the_database_lets_nobody_pay_it_again(self, contradicted: MilestoneSettlement) -> None:
        approval_row(contradicted, a_user())
        for status in (S.RELEASING, S.APPROVED):
            with pytest.raises(DatabaseError, match="it paid what we took for refused"), transaction.atomic():
                change(contradicted, status=status, reference="by hand", released_at=now())


class TestPayingElsewhere:
    def test_by_the_ledger_books_the_next_attempt_at_once(
        self, provider: PretendProvider, recipient: Recipient, settlement: MilestoneSettlement
    ) -> None:
        assert turn(settlement, "internal_ledger", a_user()) == (
            "To be paid by internal_ledger, once 1 officer approved that"
        )
        assert status_of(settlement) in {S.FAILED, S.RETURNED}
        assert retry(settlement, a_user()).startswith("Paid by a new attempt under INTERNAL_LEDGER:")
        assert (status_of(settlement), settlement.rail) == (S.APPROVED, "internal_ledger")
        entry = JournalEntry.objects.get(kind="release", reference=settlement.reference)
        assert entry.attempt_number == 2
        owed = ledger.balance(AccountKey(AccountCode.RECIPIENT_PAYABLE, "USD", recipient.pk))
        assert owed == Money(settlement.amount_minor, "USD")
        assert submit(provider).accepted == 0
        proven()

    def test_by_the_ledger_is_confirmed_by_request_as_any_other(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        whole = failed(provider, recipient, schedule=ScheduleRequest(type=ScheduleType.FULL_ON_POD), **SMALL)
        turn(whole, "internal_ledger", a_user())
        retry(whole, a_user())
        assert requests.complete(whole.intent_id, actor="test", now=now()) == 1
        moves = (
            AuditEvent.objects.filter(settlement=whole).order_by("-sequence").values_list("from_status", "to_status")
        )
        assert list(moves[:3]) == [(S.APPROVED, S.SETTLED), (S.RELEASING, S.APPROVED), (S.FAILED, S.RELEASING)]
        proven()

    def test_voids_what_was_approved_before(self, provider: PretendProvider, recipient: Recipient) -> None:
        large = failed(provider, recipient, amount=Decimal("50000"))
        retry(large, a_user())
        turn(large, "internal_ledger", a_user())
        assert retry(large, a_user()).startswith("Approval recorded: 1 of 2")

    def test_by_wire_takes_two_officers(
        self, provider: PretendProvider, settlement: MilestoneSettlement, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(registry._RAILS, SettlementProvider.WIRE, PretendWire())
        account = {
            "iban": "DE89370400440532013000", "bic": "COBADEFFXXX", "creditor_name": "Bozza Spedition GmbH",
            "street": "Hafenstr.", "building_number": "7", "postal_code": "20457", "town": "Hamburg", "country": "DE",
        }  # fmt: skip
        wanted = destinations.read("wire", account)
        destinations.propose(settlement.intent.recipient_id or 0, [wanted], actor="test", now=now())
        assert turn(settlement, "wire", a_user()) == "To be paid by wire, once 2 officers approved that"
        status_of(settlement)
        assert (settlement.rail, settlement.approvals_required) == ("wire", 2)
        with pytest.raises(DatabaseError, match="two approvers"), transaction.atomic():
            change(settlement, approvals_required=1)

    def test_a_rail_that_is_not_set_up_is_refused(self, settlement: MilestoneSettlement) -> None:
        with pytest.raises(methods.MethodNotEnabled):
            turn(settlement, "ach", a_user())

    def test_an_unknown_method_is_refused(self, settlement: MilestoneSettlement) -> None:
        with pytest.raises(methods.MethodRefused):
            turn(settlement, "pigeon", a_user())

    def test_the_same_method_is_refused(self, settlement: MilestoneSettlement) -> None:
        with pytest.raises(retries.SameMethod):
            turn(settlement, "stripe", a_user())

    def test_a_recipient_without_a_destination_is_refused(
        self, provider: PretendProvider, recipient: Recipient, settlement: MilestoneSettlement,
        monkeypatch: pytest.MonkeyPatch
    ) -> None:  # fmt: skip
        monkeypatch.setitem(registry._RAILS, SettlementProvider.WIRE, PretendWire())
        with pytest.raises(methods.DestinationMissing):
            turn(settlement, "wire", a_user())

    def test_leaves_the_other_milestones_and_the_intent_as_they_are(self, settlement: MilestoneSettlement) -> None:
        turn(settlement, "internal_ledger", a_user())
        settlement.intent.refresh_from_db()
        assert settlement.intent.payment_method == "stripe"

    def test_past_the_domain_the_ledger_needs_its_entry_and_its_approval(self, settlement: MilestoneSettlement) -> None:
        turn(settlement, "internal_ledger", a_user())
        for columns in ({"status": S.RELEASING}, {"status": S.APPROVED, "reference": "by hand", "released_at": now()}):
            with pytest.raises(DatabaseError), transaction.atomic():
                change(settlement, **columns)
        approval_row(settlement, a_user())
        with pytest.raises(DatabaseError, match="journal entry"), transaction.atomic():
            change(settlement, status=S.RELEASING, reference="by hand")


class TestWritingOff:
    def test_ends_it_and_the_intent_goes_on_without_it(self, settlement: MilestoneSettlement) -> None:
        assert write_off(settlement, a_user()) == "Written off: nothing is paid for it any more"
        assert status_of(settlement) == S.CANCELLED
        event = AuditEvent.objects.get(settlement=settlement, action="written_off")
        assert event.reason == "the carrier waived it"
        proven()

    def test_is_final(self, settlement: MilestoneSettlement) -> None:
        write_off(settlement, a_user())
        with pytest.raises(approvals.NotWaiting):
            write_off(settlement, a_user())
        with pytest.raises(approvals.NotWaiting):
            retry(settlement, a_user())
        with pytest.raises(DatabaseError), transaction.atomic():
            change(settlement, status=S.RELEASING)

    def test_is_the_way_out_of_what_failed_after_its_intent_was_cancelled(
        self, provider: PretendProvider, recipient: Recipient
    ) -> None:
        settlement = releasing(recipient, **SMALL)
        intents.cancel(settlement.intent_id, reason="lost", actor="test", now=now())
        provider.behave = provider.refuse
        submit(provider)
        assert status_of(settlement) == S.FAILED
        as_if_committed()
        for act in (lambda: retry(settlement, a_user()), lambda: turn(settlement, "internal_ledger", a_user())):
            with pytest.raises(approvals.NotWaiting):
                act()
        assert write_off(settlement, a_user()) == "Written off: nothing is paid for it any more"
        assert status_of(settlement) == S.CANCELLED
        proven()

    def test_is_about_what_was_on_the_screen(self, provider: PretendProvider, recipient: Recipient) -> None:
        settlement = failed(provider, recipient, **SMALL)
        version = version_of(settlement.pk)
        turn(settlement, "internal_ledger", a_user())
        with pytest.raises(approvals.StaleVersion):
            retries.write_off(settlement.pk, officer=officer(a_user()), reason="no", version=version, now=now())

    def test_of_what_was_paid_is_refused(self, provider: PretendProvider, recipient: Recipient) -> None:
        settlement = paid(provider, recipient, **SMALL)
        with pytest.raises(approvals.NotWaiting):
            write_off(settlement, a_user())
        assert RailAttempt.objects.get(milestone_id=settlement.pk).state == "ACCEPTED"
