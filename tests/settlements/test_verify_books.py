"""What is sound is proven; what somebody changed behind the guards is found and named."""

from dataclasses import dataclass
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from pytest_django import Settings

from rails import ledger
from rails.models import JournalEntry
from settlements import approvals, audit, holds, intents, lifecycle, release, requests
from settlements.intents import ScheduleRequest
from settlements.lifecycle import Move
from settlements.models import AuditEvent, MilestoneSettlement, PaymentIntent
from settlements.statuses import EventType, ScheduleType
from settlements.statuses import SettlementStatus as S
from settlements.verification.intents import derived_status
from tests.factories import (
    ACTOR,
    CLAIM,
    HIGH,
    MEDIUM,
    PICKUP,
    POD,
    a_recipient,
    a_user,
    an_intent,
    approve,
    now,
    officer,
    platform_source,
    post_event,
    settlement_of,
    version_of,
)
from tests.settlements import by_hand
from tests.settlements.conftest import Sql


@dataclass
class World:
    """An intent in every state; each made by the domain."""

    approved: PaymentIntent
    reviewed: MilestoneSettlement
    delayed: PaymentIntent
    cancelled: PaymentIntent
    returned: MilestoneSettlement
    zero: MilestoneSettlement

    @property
    def pod(self) -> MilestoneSettlement:
        """The POD settlement of the approved intent."""
        return settlement_of(self.approved, POD, create=False)


def lived_in() -> World:
    recipient = a_recipient()
    approved = an_intent(recipient=recipient, amount=Decimal("999.99"))
    for event_type in EventType:
        post_event(approved.shipment.shipment_id, event_type)
    delayed = an_intent(risk=MEDIUM, currency="JPY", recipient=recipient)
    for event_type in EventType:
        post_event(delayed.shipment.shipment_id, event_type)
    approve(settlement_of(delayed, CLAIM), a_user(), "released early")
    high = an_intent(risk=HIGH, amount=30_000, creator=a_user())
    zero = settlement_of(high, PICKUP)
    reviewed = settlement_of(high, POD)
    approve(reviewed, a_user())
    approve(reviewed, a_user())
    claim = settlement_of(high, CLAIM)
    holds.place(claim.pk, reason="dispute", actor=ACTOR, now=now())
    rejected = settlement_of(an_intent(risk=None, schedule=ScheduleRequest(type=ScheduleType.FULL_ON_POD)), POD)
    approvals.reject(
        rejected.pk, officer=officer(a_user()), reason="fraud", version=version_of(rejected.pk), now=now()
    )
    settled = an_intent(currency="KWD")
    requests.settle(settled.pk, actor=ACTOR, now=now())
    requests.complete(settled.pk, actor=ACTOR, now=now())
    cancelled = an_intent(risk=MEDIUM)
    settlement_of(cancelled, POD)
    settlement_of(cancelled, PICKUP)
    intents.cancel(cancelled.pk, reason="mistake", actor=ACTOR, now=now())
    returned = settlement_of(an_intent(), POD)
    move = Move(
        settlement_id=returned.pk, intent_id=returned.intent_id, old=S.APPROVED, new=S.RETURNED, action="returned",
        actor=ACTOR,
    )  # fmt: skip
    with transaction.atomic():
        ledger.reverse(JournalEntry.objects.get(milestone_id=returned.pk).pk, now=now())
        lifecycle.transition([move], now=now())
    return World(approved, reviewed, delayed, cancelled, returned, zero)


@pytest.fixture
def world(db: None) -> World:
    return lived_in()


def verified() -> str:
    out = StringIO()
    call_command("verify_books", stdout=out)
    return out.getvalue()


def difference() -> str:
    with pytest.raises(CommandError) as caught:
        call_command("verify_books", stdout=StringIO())
    words = str(caught.value)
    assert "\n" not in words
    return words


class TestWhatIsSound:
    def test_an_empty_house_is_proven(self, db: None) -> None:
        assert verified().endswith("All is proven.\n")

    def test_an_intent_in_every_state_is_proven_with_counts(self, world: World) -> None:
        assert {status.lower() for status in PaymentIntent.objects.values_list("status", flat=True)} == {
            "approved", "delayed", "pending", "rejected", "settled", "cancelled",
        }  # fmt: skip
        lines = verified().splitlines()
        assert [int(line.split()[0]) for line in lines[:-1]] == [
            AuditEvent.objects.count(),
            MilestoneSettlement.objects.count(),
            JournalEntry.objects.count(),
            MilestoneSettlement.objects.filter(status__in=["APPROVED", "SETTLED"]).count(),
            PaymentIntent.objects.count(),
        ]

    def test_a_decision_made_stricter_by_the_sweep_is_proven(self, db: None, settings: Settings) -> None:
        settings.CHAINPAY_HOLD_SECONDS = 0
        intent = an_intent(risk=MEDIUM)
        settlement = settlement_of(intent, CLAIM)
        by_hand.change(intent.freight_token, risk_score=HIGH)
        release.sweep(now=now())
        settlement.refresh_from_db()
        assert (settlement.status, settlement.strategy) == ("PENDING", "MANUAL_REVIEW")
        assert "All is proven." in verified()


class TestWhatWasChangedBehindTheGuards:
    def test_an_audit_event_with_other_words(self, world: World, behind_the_guards: Sql) -> None:
        for column, value in {
            "reason": "'another'",
            "data": """data || '{"amount": "1.00"}'""",
            "created_at": "created_at + interval '1 microsecond'",
            "approved_by": "'user:nobody'",
            "settlement_id": str(world.returned.pk),
        }.items():
            _undone(
                f"UPDATE settlements_auditevent SET {column} = {value} WHERE intent_id = %s AND sequence = 2",
                world.approved.pk,
                finds=f"intent {world.approved.pk}, audit event 2: hash does not match its content",
            )

    def test_an_audit_event_with_another_hash(self, world: World, behind_the_guards: Sql) -> None:
        behind_the_guards(
            "UPDATE settlements_auditevent SET prev_hash = decode(repeat('ab', 32), 'hex') "
            "WHERE intent_id = %s AND sequence = 3",
            world.approved.pk,
        )
        expected = f"intent {world.approved.pk}, audit event 3: it does not carry the hash of the one before it"
        assert difference() == expected

    def test_an_audit_event_that_is_gone(self, world: World, behind_the_guards: Sql) -> None:
        behind_the_guards(
            "DELETE FROM settlements_auditevent WHERE intent_id = %s AND sequence = 3", world.approved.pk
        )
        assert difference() == f"intent {world.approved.pk}, audit event 3: missing, 4 follows"

    def test_a_last_audit_event_that_is_gone(self, world: World, behind_the_guards: Sql) -> None:
        last = AuditEvent.objects.filter(intent=world.approved).latest("sequence")
        behind_the_guards("DELETE FROM settlements_auditevent WHERE id = %s", last.pk)
        assert difference() == f"settlement {last.settlement_id}: no audit event tells of it"

    def test_a_history_that_is_gone(self, world: World, behind_the_guards: Sql) -> None:
        behind_the_guards("DELETE FROM settlements_auditevent WHERE intent_id = %s", world.delayed.pk)
        assert difference() == f"intent {world.delayed.pk}: it has no audit event"

    def test_two_audit_events_in_each_others_place(self, world: World, behind_the_guards: Sql) -> None:
        swap = "UPDATE settlements_auditevent SET sequence = %s WHERE intent_id = %s AND sequence = %s"
        for new, old in ((99, 2), (2, 3), (3, 99)):
            behind_the_guards(swap, new, world.approved.pk, old)
        assert difference().startswith(f"intent {world.approved.pk}, audit event 2: ")

    def test_a_history_forged_with_fitting_hashes(self, world: World, behind_the_guards: Sql) -> None:
        settlement = world.zero
        move = Move(
            settlement_id=settlement.pk, intent_id=settlement.intent_id, old=S.REJECTED, new=S.REJECTED,
            action="forged", actor=ACTOR,
        )  # fmt: skip
        audit.record([lifecycle._told(move)], now=now())
        assert difference().endswith(f"settlement {settlement.pk} moves from rejected, but was pending")

    def test_a_forged_move_outside_the_table(self, world: World) -> None:
        settlement = world.zero
        forged = Move(
            settlement_id=settlement.pk, intent_id=settlement.intent_id, old=S.PENDING, new=S.SETTLED,
            action="forged", actor=ACTOR,
        )  # fmt: skip
        audit.record([lifecycle._told(forged)], now=now())
        assert difference().endswith(f"settlement {settlement.pk} may not move from pending to settled")

    @pytest.mark.parametrize(
        ("change", "finds"),
        [
            ("status = 'SETTLED', settled_at = now()", "its status is settled, but its audit events say approved"),
            ("strategy = 'DELAYED'", "its strategy is delayed, but its audit events say immediate"),
            ("reference = 'another'", "its reference is another, but its audit events say INTERNAL_LEDGER:"),
        ],
    )
    def test_a_settlement_that_its_history_does_not_lead_to(
        self, change: str, finds: str, world: World, behind_the_guards: Sql
    ) -> None:
        behind_the_guards(f"UPDATE settlements_milestonesettlement SET {change} WHERE id = %s", world.pod.pk)
        assert difference().startswith(f"settlement {world.pod.pk}: {finds}")

    def test_a_settlement_of_another_amount(self, world: World, behind_the_guards: Sql) -> None:
        behind_the_guards(
            "UPDATE settlements_milestonesettlement SET amount_minor = amount_minor + 1 WHERE id = %s", world.pod.pk
        )
        assert f"the history of settlement {world.pod.pk} does not begin with its creation" in difference()

    def test_a_settlement_that_needed_more_approvers_once(self, world: World, behind_the_guards: Sql) -> None:
        behind_the_guards(
            "UPDATE settlements_milestonesettlement SET approvals_required = 1 WHERE id = %s", world.reviewed.pk
        )
        assert difference().endswith(f"settlement {world.reviewed.pk} needed more approvers then than it does now")

    def test_a_settlement_that_is_gone(self, world: World, behind_the_guards: Sql) -> None:
        pk = world.zero.pk
        behind_the_guards("DELETE FROM settlements_milestonesettlement WHERE id = %s", pk)
        assert difference().endswith(f"there is no settlement {pk}")

    def test_an_intent_of_another_amount(self, world: World, behind_the_guards: Sql) -> None:
        behind_the_guards(
            "UPDATE settlements_paymentintent SET amount_minor = amount_minor + 1 WHERE id = %s", world.approved.pk
        )
        expected = f"intent {world.approved.pk}, audit event 1: it does not tell of its creation and amount"
        assert difference() == expected

    def test_an_intent_with_a_status_by_hand(self, world: World, behind_the_guards: Sql) -> None:
        by_hand.change(world.approved, status="SETTLED")
        expected = f"intent {world.approved.pk}: it is stored as settled, but by its settlements it is approved"
        assert difference() == expected

    def test_an_intent_cancelled_by_hand(self, world: World) -> None:
        by_hand.change(world.approved, status="CANCELLED", cancelled_at=now())
        assert difference() == f"intent {world.approved.pk}: it was cancelled, but no audit event tells of it"

    def test_an_intent_revived_by_hand(self, world: World, behind_the_guards: Sql) -> None:
        behind_the_guards(
            "UPDATE settlements_paymentintent SET status = 'PENDING', cancelled_at = NULL WHERE id = %s",
            world.cancelled.pk,
        )
        assert "it tells of a cancellation, but the intent is pending" in difference()

    def test_a_schedule_that_does_not_sum(self, world: World, behind_the_guards: Sql) -> None:
        behind_the_guards(
            "UPDATE settlements_paymentscheduleitem SET share = share + 0.1 WHERE intent_id = %s AND event_type = %s",
            world.approved.pk,
            POD,
        )
        assert difference() == f"intent {world.approved.pk}: the shares of its schedule do not sum to 1"

    def test_schedule_items_with_each_others_amount(self, world: World, behind_the_guards: Sql) -> None:
        behind_the_guards(
            "UPDATE settlements_paymentscheduleitem SET amount_minor = amount_minor + CASE event_type "
            "WHEN 'POD_CONFIRMED' THEN -1 WHEN 'PICKUP_CONFIRMED' THEN 1 ELSE 0 END WHERE intent_id = %s",
            world.approved.pk,
        )
        assert difference().endswith(f"its amount is not that of its item in intent {world.approved.pk}")

    def test_a_schedule_item_that_is_gone(self, world: World, behind_the_guards: Sql) -> None:
        behind_the_guards(
            "DELETE FROM settlements_paymentscheduleitem WHERE intent_id = %s AND amount_minor = 0",
            world.zero.intent_id,
        )
        expected = f"settlement {world.zero.pk}: the schedule of intent {world.zero.intent_id} has no item for {PICKUP}"
        assert difference() == expected

    def test_an_event_of_another_shipment(self, world: World, behind_the_guards: Sql) -> None:
        behind_the_guards(
            "UPDATE settlements_milestonesettlement SET event_id = %s WHERE id = %s",
            settlement_of(world.delayed, POD).event_id,
            world.pod.pk,
        )
        assert "is of another shipment or type" in difference()


class TestBooksChangedBehindTheGuards:
    def entry(self, world: World) -> JournalEntry:
        return JournalEntry.objects.get(milestone_id=world.pod.pk)

    def test_a_posting_of_another_amount(self, world: World, behind_the_guards: Sql) -> None:
        entry = self.entry(world)
        behind_the_guards("UPDATE rails_posting SET amount_minor = amount_minor - 1 WHERE entry_id = %s", entry.pk)
        assert difference() == (
            f"journal entry {entry.pk} ({entry.reference}): it is of 69999 USD in minor units, "
            "but its postings sum to 69998"
        )

    def test_a_posting_that_is_gone(self, world: World, behind_the_guards: Sql) -> None:
        behind_the_guards("DELETE FROM rails_posting WHERE entry_id = %s", self.entry(world).pk)
        assert difference().endswith("but its postings sum to 0")

    def test_an_entry_that_is_gone(self, world: World, behind_the_guards: Sql) -> None:
        entry = self.entry(world)
        behind_the_guards("DELETE FROM rails_journalentry WHERE id = %s", entry.pk)
        assert difference().endswith(f"its journal entry {entry.pk} does not exist")

    def test_an_entry_that_is_gone_with_its_postings(self, world: World, behind_the_guards: Sql) -> None:
        entry = self.entry(world)
        behind_the_guards("DELETE FROM rails_posting WHERE entry_id = %s", entry.pk)
        behind_the_guards("DELETE FROM rails_journalentry WHERE id = %s", entry.pk)
        assert difference() == f"settlement {world.pod.pk}: it is approved, but the journal has 0 releases of it"

    def test_a_posting_to_an_account_of_another_currency(self, world: World, behind_the_guards: Sql) -> None:
        behind_the_guards(
            "UPDATE rails_posting SET debit_account_id = (SELECT id FROM rails_account WHERE currency = 'JPY' LIMIT 1) "
            "WHERE entry_id = %s",
            self.entry(world).pk,
        )
        assert "it is in USD, but its entry is in USD and its accounts are in JPY and USD" in difference()

    def test_an_entry_and_its_posting_of_another_amount(self, world: World, behind_the_guards: Sql) -> None:
        entry = self.entry(world)
        behind_the_guards("UPDATE rails_posting SET amount_minor = 1 WHERE entry_id = %s", entry.pk)
        behind_the_guards("UPDATE rails_journalentry SET amount_minor = 1 WHERE id = %s", entry.pk)
        assert difference().endswith(f"but entry {entry.pk} books 1 USD under {entry.reference}")

    def test_more_booked_than_the_settlement_is(self, world: World, behind_the_guards: Sql) -> None:
        entry = self.entry(world)
        behind_the_guards("UPDATE rails_posting SET amount_minor = 70000 WHERE entry_id = %s", entry.pk)
        behind_the_guards("UPDATE rails_journalentry SET amount_minor = 70000 WHERE id = %s", entry.pk)
        assert difference() == (
            f"intent {world.approved.pk}: released less returned is 100000 in minor units, "
            "more than its amount of 99999"
        )

    def test_a_release_of_a_settlement_nobody_knows(self, world: World, behind_the_guards: Sql) -> None:
        entry = self.entry(world)
        behind_the_guards("UPDATE rails_journalentry SET milestone_id = 987654 WHERE id = %s", entry.pk)
        assert difference() == f"journal entry {entry.pk} ({entry.reference}): there is no settlement 987654"

    def test_a_release_of_a_settlement_that_waits(self, world: World, behind_the_guards: Sql) -> None:
        waiting = settlement_of(world.delayed, PICKUP)
        entry = JournalEntry.objects.get(milestone_id=settlement_of(world.cancelled, POD).pk)
        behind_the_guards("UPDATE rails_posting SET amount_minor = 1 WHERE entry_id = %s", entry.pk)
        behind_the_guards(
            "UPDATE rails_journalentry SET amount_minor = 1, milestone_id = %s WHERE id = %s", waiting.pk, entry.pk
        )
        assert difference() == f"settlement {waiting.pk}: it is delayed, but 1 in minor units are booked as released"

    def test_a_return_that_is_gone(self, world: World, behind_the_guards: Sql) -> None:
        back = JournalEntry.objects.get(kind="return")
        behind_the_guards("DELETE FROM rails_posting WHERE entry_id = %s", back.pk)
        behind_the_guards("DELETE FROM rails_journalentry WHERE id = %s", back.pk)
        assert difference().startswith(f"settlement {world.returned.pk}: it is returned, but 700000 in minor units")

    def test_a_return_of_more_than_was_released(self, world: World, behind_the_guards: Sql) -> None:
        back = JournalEntry.objects.get(kind="return")
        behind_the_guards("UPDATE rails_posting SET amount_minor = 700001 WHERE entry_id = %s", back.pk)
        behind_the_guards("UPDATE rails_journalentry SET amount_minor = 700001 WHERE id = %s", back.pk)
        assert "it takes back more than" in difference()


class TestAuthorityChangedBehindTheGuards:
    def test_an_approval_that_is_gone(self, world: World, behind_the_guards: Sql) -> None:
        behind_the_guards(
            "DELETE FROM settlements_approval WHERE id = (SELECT max(id) FROM settlements_approval "
            "WHERE settlement_id = %s)",
            world.reviewed.pk,
        )
        assert difference() == (
            f"settlement {world.reviewed.pk}: 1 decisions of officers are stored, but the audit trail tells of 2"
        )

    def test_two_approvals_of_one_officer(self, world: World, behind_the_guards: Sql) -> None:
        first = world.reviewed.approvals.order_by("id").first()
        assert first is not None
        behind_the_guards(
            "UPDATE settlements_approval SET approver_id = %s, version = version || id WHERE settlement_id = %s",
            first.approver_id,
            world.reviewed.pk,
        )
        expected = f"settlement {world.reviewed.pk}: its release needed 2 approvers of one version and had 1"
        assert difference() == expected

    def test_an_approval_by_the_creator(self, world: World, behind_the_guards: Sql) -> None:
        creator = world.reviewed.intent.created_by_id
        behind_the_guards(
            "UPDATE settlements_approval SET approver_id = %s WHERE id = (SELECT max(id) FROM settlements_approval "
            "WHERE settlement_id = %s)",
            creator,
            world.reviewed.pk,
        )
        expected = f"settlement {world.reviewed.pk}: user {creator} approved its release, but created its intent"
        assert difference() == expected

    def test_an_early_release_without_its_approval(self, world: World, behind_the_guards: Sql) -> None:
        early = settlement_of(world.delayed, CLAIM)
        behind_the_guards(
            "UPDATE settlements_approval SET decision = 'REJECT' WHERE settlement_id = %s", early.pk
        )
        assert difference() == f"settlement {early.pk}: it was released before its hold was over, with 0 of 1 approvers"

    def test_an_open_hold_on_what_is_out(self, world: World, behind_the_guards: Sql) -> None:
        behind_the_guards("UPDATE settlements_hold SET settlement_id = %s", world.pod.pk)
        assert difference() == f"settlement {world.pod.pk}: it is approved although a hold on it is open"


@pytest.mark.parametrize(
    ("statuses", "derived"),
    [
        ([None, None], "PENDING"),
        (["APPROVED", None], "PENDING"),
        (["DELAYED", None], "DELAYED"),
        (["DELAYED", "PENDING", "REJECTED"], "DELAYED"),
        (["APPROVED", "PENDING"], "PENDING"),
        (["SETTLED", "RELEASING"], "PENDING"),
        (["SETTLED", "FAILED"], "PENDING"),
        (["SETTLED", "RETURNED"], "PENDING"),
        (["REJECTED", "CANCELLED"], "REJECTED"),
        (["REJECTED", "SETTLED"], "SETTLED"),
        (["APPROVED", "SETTLED"], "APPROVED"),
        (["APPROVED", "REJECTED"], "APPROVED"),
    ],
)
def test_the_status_of_an_intent_is_read_from_the_specification(statuses: list[str | None], derived: str) -> None:
    assert derived_status(False, statuses) == derived
    assert derived_status(False, statuses[::-1]) == derived
    assert derived_status(True, statuses) == "CANCELLED"


@pytest.fixture
def committed(transactional_db: None) -> World:
    platform_source()
    return lived_in()


def test_it_reads_one_snapshot_and_writes_nothing(committed: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, str]] = []

    def look() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')")
            seen.append(cursor.fetchone())
        return 0

    monkeypatch.setattr("settlements.verify.CHECKS", (("looked", look),))
    assert "0 looked" in verified()
    assert seen == [("repeatable read", "on")]
    monkeypatch.undo()
    assert "All is proven." in verified()


def _undone(statement: str, *parameters: int, finds: str) -> None:
    """Changes something behind the guards, sees that it is found, and changes it back."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SAVEPOINT before_the_change")
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement, parameters)
        assert cursor.rowcount == 1
        assert difference() == finds
        cursor.execute("ROLLBACK TO SAVEPOINT before_the_change")
