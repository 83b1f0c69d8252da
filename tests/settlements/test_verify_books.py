"""What is sound is proven; a history or a status that somebody changed behind the guards is found and named."""

import pytest
from django.db import connection
from pytest_django import Settings

from rails.models import ClosedDay, JournalEntry, RailAttempt
from settlements import audit, lifecycle, release
from settlements.lifecycle import Move
from settlements.models import AuditEvent, Checkpoint, MilestoneSettlement, OfficeEvent, PaymentIntent
from settlements.proof import publishing
from settlements.statuses import SettlementStatus as S
from settlements.verification.intents import derived_status
from tests.factories import (
    ACTOR,
    CLAIM,
    HIGH,
    MEDIUM,
    PICKUP,
    POD,
    an_intent,
    now,
    platform_source,
    settlement_of,
)
from tests.settlements import by_hand
from tests.settlements.conftest import Sql
from tests.settlements.lived_in import World, difference, lived_in, verified


class TestWhatIsSound:
    def test_an_empty_house_is_proven(self, db: None) -> None:
        assert verified().endswith("All is proven.\n")

    def test_an_intent_in_every_state_is_proven_with_counts(self, world: World) -> None:
        assert {status.lower() for status in PaymentIntent.objects.values_list("status", flat=True)} == {
            "approved", "delayed", "pending", "rejected", "settled", "cancelled",
        }  # fmt: skip
        lines = verified().splitlines()
        counts = [int(line.split()[0]) for line in lines[:-1]]
        assert [*counts[:10], counts[-1]] == [
            0,
            AuditEvent.objects.count(),
            OfficeEvent.objects.count(),
            Checkpoint.objects.count(),
            MilestoneSettlement.objects.count(),
            JournalEntry.objects.count(),
            ClosedDay.objects.count(),
            MilestoneSettlement.objects.filter(status__in=["APPROVED", "SETTLED"]).count(),
            RailAttempt.objects.count(),
            PaymentIntent.objects.count(),
            len(list(publishing.copies())),
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
        behind_the_guards("DELETE FROM settlements_auditevent WHERE intent_id = %s AND sequence = 3", world.approved.pk)
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


class TestTheSearch:
    def test_leaves_no_cursor_open_when_it_ends_early(self, world: World, behind_the_guards: Sql) -> None:
        behind_the_guards("UPDATE settlements_auditevent SET reason = 'another' WHERE sequence = 1")
        assert "hash does not match" in difference()
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_cursors WHERE name LIKE '_django_curs%%'")
            assert cursor.fetchone() == (0,)


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
