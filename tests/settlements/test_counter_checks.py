"""Whoever edits the database as its superuser, with every guard asleep, is found: one edit at a time, each is named."""

from datetime import timedelta
from typing import Any

from django.db import connection, transaction

from settlements import holds, office_log, verify
from settlements.models import AuditEvent, Export, MilestoneSettlement, OfficeEvent, ShipmentEvent
from settlements.office_log import OfficeAction, OfficeDraft
from settlements.verification.differences import Difference
from tests.factories import ACTOR, CLAIM, HIGH, POD, a_recipient, a_user, an_intent, now, settlement_of
from tests.settlements.lived_in import World
from tests.settlements.prompt import one

Edits = dict[str, tuple[str, str]]


def found(statement: str) -> str:
    """What is found after an edit, which is undone again."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SAVEPOINT before_the_edit")
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement)
        assert cursor.rowcount, f"nothing was changed by: {statement}"
        cursor.execute("SET LOCAL session_replication_role = origin")
        try:
            words = _first_difference()
        finally:
            cursor.execute("ROLLBACK TO SAVEPOINT before_the_edit")
    return words


def _first_difference() -> str:
    try:
        for _ in verify.everything():
            pass
    except Difference as difference:
        return str(difference)
    return "nothing"


def each_is_named(edits: Edits) -> None:
    """Every edit is found, and the words name it."""
    assert _first_difference() == "nothing"
    missed = {}
    for name, (statement, words) in edits.items():
        difference = found(statement)
        if words not in difference:
            missed[name] = difference
    assert missed == {}


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
    assert _first_difference() == "nothing"
    colleague.date_joined = world.approved.created_at - timedelta(days=1)
    colleague.save()
    assert "is not what audit event" in _first_difference()


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


def test_edits_of_messages(world: World) -> None:
    event = ShipmentEvent.objects.earliest("pk").pk
    update = f"UPDATE settlements_shipmentevent SET {{}} WHERE id = {event}"
    each_is_named(
        {
            "body": (
                update.format("body = replace(body, 'CONFIRMED', 'DENIED')"),
                f"shipment event {event}: its message",
            ),
            "hash": (update.format("body_hash = decode('ab', 'hex')"), f"shipment event {event}: its message"),
            "no JSON": (update.format("body = 'x'"), f"shipment event {event}: its message"),
            "shipment": (update.format("shipment_id = shipment_id + 1"), f"{event}"),
            "outcome": (
                update.format("settlements_created = 7"),
                f"shipment event {event}: it is said to have brought 7",
            ),
            "deleted": (f"DELETE FROM settlements_shipmentevent WHERE id = {event}", "settlement"),
        }
    )


def test_edits_of_exports_and_office_events(world: World) -> None:
    export = an_export()
    update = f"UPDATE settlements_export SET {{}} WHERE id = {export.pk}"
    last = OfficeEvent.objects.latest("sequence").sequence
    each_is_named(
        {
            "rows": (update.format("rows_done = 7, rows_total = 7"), f"export {export.pk}: it is of 7 rows"),
            "sha256": (update.format("sha256 = repeat('a', 64)"), f"export {export.pk}: it is of 2 rows"),
            "totals": (update.format("totals = '{\"USD\": \"1.00\"}'"), f"export {export.pk}: it is of 2 rows"),
            "actor": (update.format("actor = 'user:nobody'"), f"export {export.pk}: no office event tells"),
            "what was asked": (update.format("asked = '{}'"), f"export {export.pk}: no office event tells"),
            "deleted": (f"DELETE FROM settlements_export WHERE id = {export.pk}", "office event 1: it tells of export"),
            "an office event": (
                "UPDATE settlements_officeevent SET actor = 'user:nobody' WHERE sequence = 1",
                "office event 1: hash does not match its content",
            ),
            "the last office event": (
                f"DELETE FROM settlements_officeevent WHERE sequence = {last}", f"export {export.pk}: it is of 2 rows"
            ),
            "the first office event": (
                "DELETE FROM settlements_officeevent WHERE sequence = 1", "office event 1: missing, 2 follows"
            ),
        }
    )  # fmt: skip


def an_export() -> Export:
    """One export with both its office events, as `exports/records.py` writes them."""
    at, asked = now(), {"filters": {}, "list": "", "query": ""}
    export = Export.objects.create(
        dataset="settlements", version=1, delivery="STREAM", asked=asked, filter_words="everything", file_name="x.csv",
        actor="user:finance1", state="RUNNING", tries=1, created_at=at, started_at=at,
    )  # fmt: skip
    with transaction.atomic():
        _tell(OfficeAction.EXPORT_BEGUN, at, {"export": export.pk, "asked": asked})
    done = at + timedelta(seconds=1)
    figures: dict[str, Any] = {"rows": 2, "bytes": 9, "sha256": "0" * 64, "totals": {"USD": "12.50"}}
    with transaction.atomic():
        Export.objects.filter(pk=export.pk).update(
            state="SENT", rows_done=2, rows_total=2, bytes_done=9, totals={"USD": "12.50"}, sha256="0" * 64,
            finished_at=done,
        )  # fmt: skip
        _tell(OfficeAction.EXPORTED, done, {"export": export.pk, **figures})
    return export


def _tell(action: OfficeAction, at: Any, data: dict[str, Any]) -> None:
    office_log.record(OfficeDraft(action=action, subject="settlements", actor="user:finance1", data=data), now=at)


def test_a_view_that_shows_something_else(world: World) -> None:
    narrow = "CREATE OR REPLACE VIEW reporting.{view} AS SELECT {columns} FROM ({definition}) v WHERE {where}"

    def shown(view: str, where: str, **others: str) -> str:
        definition = one("SELECT rtrim(pg_get_viewdef(%s::regclass), ';')", f"reporting.{view}")
        names = one(
            "SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute "
            "WHERE attrelid = %s::regclass AND attnum > 0",
            f"reporting.{view}",
        )
        columns = ", ".join(f"{others.get(name, name)} AS {name}" for name in names.split(","))
        return _found_after(narrow.format(view=view, columns=columns, definition=definition, where=where))

    assert "view reporting.settlements, USD" in shown("settlements", f"milestone_id <> {world.pod.pk}")
    assert "view reporting.settlements, " in shown("settlements", "true", amount="amount * 100")
    assert "view reporting.journal, " in shown("journal", "true", amount="amount * 2")
    assert "view reporting.audit: it shows" in shown("audit", "sequence > 1")
    assert "view reporting.decisions: it shows" in shown("decisions", "made_by = 'policy'")
    assert "view reporting.events: it shows 0 rows" in shown("events", "false")
    assert _found_after("DROP VIEW reporting.journal") == "view reporting.journal: it does not exist"


def test_a_guard_that_sleeps_or_is_gone(world: World) -> None:
    (guard,) = [
        name for name in one(
            "SELECT array_agg(tgname::text) FROM pg_trigger WHERE tgrelid = 'settlements_auditevent'::regclass"
        ) if "leave_by_an_archive" in name
    ]  # fmt: skip
    table = "table settlements_auditevent"
    assert _found_after(f"ALTER TABLE settlements_auditevent DISABLE TRIGGER {guard}") == (
        f"{table}: {guard} is asleep and guards nothing"
    )
    assert f"{table}: " in _found_after("ALTER TABLE settlements_auditevent DISABLE TRIGGER ALL")
    assert _found_after(f"DROP TRIGGER {guard} ON settlements_auditevent") == f"{table}: its guard {guard} is gone"


def test_what_archives_are_looked_at_through_is_as_the_migrations_made_it(world: World) -> None:
    columns = one(
        "SELECT string_agg(CASE attname WHEN 'reason' THEN 'CASE id WHEN 0 THEN ''forged'' ELSE reason END AS reason'"
        " ELSE attname END, ', ' ORDER BY attnum) FROM pg_attribute"
        " WHERE attrelid = 'archived.settlements_auditevent'::regclass"
    )
    view = (
        f"CREATE OR REPLACE VIEW archived.settlements_auditevent AS SELECT {columns} FROM public.settlements_auditevent"
    )
    changed, more = "it is not as the migrations made it", "was made by no migration"
    assert _found_after(view) == f"view archived.settlements_auditevent: {changed}"
    assert _found_after("CREATE VIEW archived.settlements_hold AS SELECT * FROM public.settlements_hold") == (
        f"view archived.settlements_hold: it {more}"
    )
    assert _found_after("CREATE TABLE archived.rails_posting (LIKE public.rails_posting)") == (
        f"table archived.rails_posting: one of its columns {more}"
    )
    assert _found_after("CREATE FUNCTION archived.lower(text) RETURNS text LANGUAGE sql AS 'SELECT $1'") == (
        f"function archived.lower(text): it {more}"
    )
    trigger = (
        "CREATE TRIGGER drops BEFORE INSERT ON archived.readout FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()"
    )
    assert _found_after(trigger) == f"table archived.readout: its guard drops {more}"
    assert _found_after(f"{trigger}; ALTER TABLE archived.readout DISABLE TRIGGER drops") == (
        "table readout: drops is asleep and guards nothing"
    )
    assert _found_after("CREATE RULE loses AS ON INSERT TO archived.readout DO INSTEAD NOTHING") == (
        f"table archived.readout: its rule loses {more}"
    )
    assert _found_after("ALTER TABLE archived.readout ALTER reason SET DEFAULT 'forged'") == (
        "table archived.readout: one of its columns is not as the migrations made it"
    )


def test_a_guard_that_is_there_and_does_nothing(world: World) -> None:
    guard = one(
        "SELECT tgname FROM pg_trigger WHERE tgrelid = 'settlements_auditevent'::regclass AND tgname LIKE '%%updated%%'"
    )
    changed = "is not as the migrations made it"
    empty = "CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$"
    never = (
        f"CREATE OR REPLACE TRIGGER {guard} BEFORE UPDATE ON settlements_auditevent FOR EACH ROW WHEN (false) "
        f"EXECUTE FUNCTION {guard}()"
    )
    assert _found_after(empty.format(guard)) == f"function {guard}(): it {changed}"
    assert _found_after(empty.format("settlements_entry_fits")) == f"function settlements_entry_fits(): it {changed}"
    assert _found_after(never) == f"table settlements_auditevent: its guard {guard} {changed}"
    assert _found_after(
        "CREATE TRIGGER doubles BEFORE INSERT ON rails_posting FOR EACH ROW EXECUTE FUNCTION settlements_entry_fits()"
    ) == "table rails_posting: its guard doubles was made by no migration"  # fmt: skip
    assert _found_after("CREATE RULE nothing AS ON INSERT TO settlements_hold DO INSTEAD NOTHING") == (
        "table settlements_hold: its rule nothing was made by no migration"
    )


def test_a_constraint_that_is_gone_or_holds_for_new_rows_only(world: World) -> None:
    table, name = "rails_journalentry", "entry_moves_something"
    drop, changed = f"ALTER TABLE {table} DROP CONSTRAINT {name}", "is not as the migrations made it"
    assert _found_after(drop) == f"table {table}: its constraint {name} is gone"
    assert _found_after(f"{drop}, ADD CONSTRAINT {name} CHECK (amount_minor > 0) NOT VALID") == (
        f"table {table}: its constraint {name} {changed}"
    )
    assert _found_after(f"{drop}, ADD CONSTRAINT {name} CHECK (amount_minor > -1)") == (
        f"table {table}: its constraint {name} {changed}"
    )
    assert _found_after("DROP INDEX one_office_event_per_entry") == (
        "table settlements_officeevent: its unique index one_office_event_per_entry is gone"
    )
    assert _found_after("ALTER TABLE settlements_hold ALTER COLUMN reason DROP NOT NULL") == (
        f"table settlements_hold: one of its columns {changed}"
    )
    assert _found_after("ALTER TABLE settlements_hold ENABLE ROW LEVEL SECURITY") == (
        f"table settlements_hold: one of its columns {changed}"
    )


def test_a_role_whose_sessions_no_guard_looks_at(world: World) -> None:
    asleep = "its sessions begin with session_replication_role = replica, where no guard is awake"
    role, database = one("SELECT current_user"), one("SELECT current_database()")
    assert _found_after(f'ALTER ROLE "{role}" SET session_replication_role = replica') == f"role {role}: {asleep}"
    assert _found_after(f'ALTER ROLE "{role}" IN DATABASE "{database}" SET session_replication_role = replica') == (
        f"role {role}: {asleep}"
    )
    assert _found_after(f'ALTER DATABASE "{database}" SET session_replication_role = replica') == (
        f"role of everybody: {asleep}"
    )
    assert _found_after("CREATE ROLE sly; GRANT SET ON PARAMETER session_replication_role TO sly") == (
        "parameter session_replication_role: a role that is no superuser may set it, and so put every guard to sleep"
    )
    assert _found_after(f'ALTER ROLE "{role}" SET session_replication_role = origin') == "nothing"


def test_a_reference_that_leads_nowhere(world: World) -> None:
    """What no other check looks at: with triggers asleep the foreign keys are asleep too."""
    difference = found("UPDATE settlements_freighttoken SET recipient_id = 999999")
    assert "table settlements_freighttoken, row" in difference
    assert "there is no row of rails_recipient with recipient_id 999999" in difference


def _found_after(statement: str) -> str:
    """What is found after a change of the schema, which is undone again."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SAVEPOINT before_the_change")
        cursor.execute(statement)
        words = _first_difference()
        cursor.execute("ROLLBACK TO SAVEPOINT before_the_change")
    return words


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
