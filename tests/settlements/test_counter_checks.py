"""Whoever edits payments as the superuser, with every guard asleep, is found: one edit at a time, each is named."""

from datetime import timedelta

from settlements import holds
from settlements.models import AuditEvent, MilestoneSettlement
from tests.factories import ACTOR, CLAIM, HIGH, POD, a_recipient, a_user, an_intent, now, settlement_of
from tests.settlements.edited import each_is_named, first_difference
from tests.settlements.lived_in import World
from tests.settlements.prompt import one


def test_edits_of_settlements(world: World) -> None:
    pod, name = world.pod.pk, f"settlement {world.pod.pk}"
    update = "UPDATE settlements_milestonesettlement SET {} WHERE id = " + str(pod)
    each_is_named(
        {
            "status": (update.format("status = 'SETTLED', settled_at = now()"), f"{name}: its status is settled"),
            "status of one that waits": (
                "UPDATE settlements_milestonesettlement SET status = 'APPROVED', reference = 'x', released_at = now() "
                "WHERE id = (SELECT min(id) FROM settlements_milestonesettlement WHERE status = 'DELAYED')",
                "its status is approved, but its audit events say delayed",
            ),
            "amount": (update.format("amount_minor = amount_minor + 1"), name),
            "currency": (update.format("currency = 'EUR'"), name),
            "reference": (update.format("reference = 'INTERNAL_LEDGER:x'"), f"{name}: its reference is"),
            "strategy": (update.format("strategy = 'MANUAL_REVIEW'"), f"{name}: its strategy is"),
            "released_at": (
                update.format("released_at = released_at - interval '1 day'"),
                f"{name}: it was created at",
            ),
            "settled_at": (update.format("settled_at = now()"), f"{name}: it was created at"),
            "created_at": (update.format("created_at = created_at - interval '1 day'"), f"{name}: it was created at"),
            "rule": (update.format("rule = 'another'"), f"{name}: its decision"),
            "explanation": (update.format("explanation = 'another'"), f"{name}: its decision"),
            "inputs": (update.format("inputs = '{}'"), f"{name}: its decision"),
            "risk_tier": (update.format("risk_tier = 'HIGH'"), f"{name}: its decision"),
            "risk_score": (update.format("risk_score = 0.9"), f"{name}: its decision"),
            "policy_version": (update.format("policy_version = '0'"), f"{name}: its decision"),
            "origin": (update.format("origin = 'SETTLE'"), f"{name}: its event and origin"),
            "event": (update.format("event_id = NULL"), f"{name}: its event and origin"),
            "rail": (update.format("rail = 'ach'"), name),
            "date": (
                "UPDATE settlements_milestonesettlement SET settlement_delayed_until = settlement_delayed_until - "
                "interval '1 day' WHERE status = 'DELAYED'",
                "it is delayed until",
            ),
            "moved to another intent": (
                f"UPDATE settlements_milestonesettlement SET intent_id = {world.cancelled.pk} "
                f"WHERE intent_id = {world.approved.pk} AND event_type = '{CLAIM}'",
                f"which belongs to intent {world.cancelled.pk}",
            ),
            "deleted": (
                f"DELETE FROM settlements_milestonesettlement WHERE id = {pod}",
                f"there is no settlement {pod}",
            ),
            "foreign": (
                _copied("settlements_milestonesettlement", pod, intent_id="999999", id="999999"),
                "settlement 999999",
            ),
        }
    )


def test_edits_of_intents_and_schedules(world: World) -> None:
    pk, name = world.approved.pk, f"intent {world.approved.pk}"
    other = a_recipient().pk
    update = "UPDATE settlements_paymentintent SET {} WHERE id = " + str(pk)
    swapped = (
        f"UPDATE settlements_paymentscheduleitem SET share = CASE event_type WHEN '{POD}' THEN share - 0.1 "
        f"WHEN 'PICKUP_CONFIRMED' THEN share + 0.1 ELSE share END WHERE intent_id = {pk}"
    )
    each_is_named(
        {
            "amount": (update.format("amount_minor = amount_minor * 2"), name),
            "status": (update.format("status = 'SETTLED'"), f"{name}: it is stored as settled"),
            "recipient": (update.format(f"recipient_id = {other}"), "recipient"),
            "payment method": (update.format("payment_method = 'ach'"), f"{name}: its payment method is ach"),
            "creator": (update.format("created_by_actor = 'user:nobody'"), f"{name}: its recipient, shipment"),
            "tier": (update.format("risk_tier = 'HIGH'"), f"{name}: its recipient, shipment"),
            "risk score": (update.format("risk_score = 0.19"), f"{name}: its recipient, shipment"),
            "risk score unknown": (update.format("risk_score = NULL"), f"{name}: its recipient, shipment"),
            "time": (update.format("created_at = created_at + interval '1 day'"), f"{name}: its recipient, shipment"),
            "shares": (swapped, f"{name}: its schedule"),
            "deleted": (f"DELETE FROM settlements_paymentintent WHERE id = {pk}", str(pk)),
        }
    )


def test_edits_of_audit_events(world: World) -> None:
    pk, name = world.approved.pk, f"intent {world.approved.pk}"
    update = f"UPDATE settlements_auditevent SET {{}} WHERE intent_id = {pk} AND sequence = 2"
    last = AuditEvent.objects.filter(intent=world.approved).latest("sequence").sequence
    each_is_named(
        {
            **{
                column: (update.format(f"{column} = {value}"), f"{name}, audit event 2: hash does not match")
                for column, value in {
                    "reason": "'x'", "action": "'x'", "from_status": "'x'", "to_status": "'x'", "triggered_by": "'x'",
                    "approved_by": "'x'", "created_at": "now()", "data": "'{}'", "settlement_id": "NULL",
                }.items()
            },
            "hash": (update.format("hash = decode(repeat('ab', 32), 'hex')"), f"{name}, audit event 2"),
            "moved to another intent": (
                f"UPDATE settlements_auditevent SET intent_id = {world.delayed.pk}, sequence = 99 "
                f"WHERE intent_id = {pk} AND sequence = {last}",
                "missing",
            ),
            "deleted in the middle": (
                f"DELETE FROM settlements_auditevent WHERE intent_id = {pk} AND sequence = 2", f"{name}, audit event 2"
            ),
            "deleted at the end": (
                f"DELETE FROM settlements_auditevent WHERE intent_id = {pk} AND sequence = {last}", "no audit event"
            ),
            "all of an intent": (f"DELETE FROM settlements_auditevent WHERE intent_id = {pk}", f"{name}: it has no"),
            "in another order": (
                "DO $$ BEGIN "
                + "".join(
                    f"UPDATE settlements_auditevent SET sequence = {new} WHERE intent_id = {pk} AND sequence = {old}; "
                    for old, new in ((2, 999), (3, 2), (999, 3))
                )
                + "END $$",
                f"{name}, audit event 2",
            ),
            "foreign": (
                _copied("settlements_auditevent", _id("settlements_auditevent", pk), intent_id="999999", id="999999",
                        settlement_id="NULL"),
                "intent 999999, audit event",
            ),
        }
    )  # fmt: skip


def test_edits_of_decisions_and_holds(world: World) -> None:
    approval = one("SELECT min(id) FROM settlements_approval")
    other = a_user().pk
    settlement_id = one("SELECT settlement_id FROM settlements_approval WHERE id = %s", approval)
    lifted = settlement_of(an_intent(risk=HIGH), POD)
    holds.place(lifted.pk, reason="dispute", actor=ACTOR, now=now())
    holds.lift(lifted.pk, reason="settled", actor=ACTOR, now=now())
    update = f"UPDATE settlements_approval SET {{}} WHERE id = {approval}"
    told = f"settlement {settlement_id}: decision {approval} is not what audit event"
    hold = f"UPDATE settlements_hold SET {{}} WHERE settlement_id = {lifted.pk}"
    each_is_named(
        {
            "officer": (
                update.format(f"approver_id = (SELECT max(approver_id) FROM settlements_approval WHERE approver_id <> "
                              f"(SELECT approver_id FROM settlements_approval WHERE id = {approval}))"), told),
            "reason": (update.format("reason = 'another'"), told),
            "version": (update.format("version = 'another'"), "settlement"),
            "channel": (update.format("channel = 'BULK'"), told),
            "time": (update.format("created_at = created_at - interval '1 day'"), told),
            "decision": (update.format("decision = 'REJECT'"), f"settlement {settlement_id}"),
            "deleted": (f"DELETE FROM settlements_approval WHERE id = {approval}", f"settlement {settlement_id}"),
            "foreign": (_copied("settlements_approval", approval, id="999999", approver_id=str(other)),
                        f"settlement {settlement_id}"),
            "who held": (hold.format("placed_by = 'user:nobody'"), f"settlement {lifted.pk}: hold"),
            "who lifted": (hold.format("lifted_by = 'user:nobody'"), f"settlement {lifted.pk}: hold"),
            "why": (hold.format("reason = 'another'"), f"settlement {lifted.pk}: hold"),
            "open again": (hold.format("lifted_at = NULL"), f"settlement {lifted.pk}"),
            "no hold": (f"DELETE FROM settlements_hold WHERE settlement_id = {lifted.pk}", f"settlement {lifted.pk}"),
        }
    )  # fmt: skip


def test_a_login_that_was_renamed_and_whose_old_name_is_a_later_colleagues_is_no_difference(world: World) -> None:
    officer = world.reviewed.approvals.earliest("pk").approver
    name, officer.username = officer.username, "married"
    officer.save()
    colleague = a_user(username=name)
    assert first_difference() == "nothing"
    colleague.date_joined = world.approved.created_at - timedelta(days=1)
    colleague.save()
    assert "is not what audit event" in first_difference()


def test_edits_of_the_journal(world: World) -> None:
    pod = world.pod.pk
    entry = one("SELECT id FROM rails_journalentry WHERE milestone_id = %s", pod)
    posting = one("SELECT id FROM rails_posting WHERE entry_id = %s", entry)
    reference = MilestoneSettlement.objects.get(pk=pod).reference
    of_entry = f"UPDATE rails_journalentry SET {{}} WHERE id = {entry}"
    of_posting = f"UPDATE rails_posting SET {{}} WHERE id = {posting}"
    both = (
        f"WITH e AS (UPDATE rails_journalentry SET {{0}} WHERE id = {entry}) "
        f"UPDATE rails_posting SET {{0}} WHERE id = {posting}"
    )
    house = (
        "(SELECT id FROM rails_account WHERE code = 'recipient_payable' AND currency = 'USD' AND recipient_id IS NULL)"
    )
    each_is_named(
        {
            "amount of a posting": (of_posting.format("amount_minor = amount_minor + 1"), f"journal entry {entry}"),
            "amount of an entry": (of_entry.format("amount_minor = amount_minor + 1"), f"journal entry {entry}"),
            "amount of both": (both.format("amount_minor = amount_minor + 1"), f"intent {world.approved.pk}: released"),
            "day of both": (both.format("posted_at = posted_at - interval '1 day'"), f"journal entry {entry}"),
            "day of a posting": (of_posting.format("posted_at = posted_at - interval '1 day'"), f"posting {posting}"),
            "account": (of_posting.format(f"credit_account_id = {house}"), f"posting {posting}"),
            "turned round": (
                of_posting.format("debit_account_id = credit_account_id, credit_account_id = debit_account_id"),
                f"posting {posting}",
            ),
            "reference": (of_entry.format("reference = 'INTERNAL_LEDGER:another'"), reference),
            "settlement": (of_entry.format("milestone_id = 999999"), "there is no settlement 999999"),
            "posting deleted": (f"DELETE FROM rails_posting WHERE id = {posting}", f"journal entry {entry}"),
            "entry deleted": (f"DELETE FROM rails_journalentry WHERE id = {entry}", f"posting {posting}"),
            "foreign entry": (
                _copied("rails_journalentry", entry, id="999999", reference="'x'", milestone_id="999998"),
                "journal entry 999999",
            ),
            "foreign posting": (
                _copied("rails_posting", posting, id="999999", amount_minor="1"), f"journal entry {entry}"
            ),
        }
    )  # fmt: skip


def _id(table: str, intent_id: int) -> int:
    return int(one(f"SELECT max(id) FROM {table} WHERE intent_id = %s", intent_id))


def _copied(table: str, pk: int, **others: str) -> str:
    """INSERT of a copy of a row with other columns, as SQL."""
    names: list[str] = one(
        "SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute "
        "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
        table,
    )
    values = ", ".join(others.get(name, name) for name in names)
    return f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM {table} WHERE id = {pk}"
