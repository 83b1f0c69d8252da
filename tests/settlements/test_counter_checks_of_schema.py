"""Whoever changes a view, a guard, a constraint or a role is found, each change by its name."""

from django.db import connection

from tests.settlements.edited import first_difference, found
from tests.settlements.lived_in import World
from tests.settlements.prompt import one


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
        words = first_difference()
        cursor.execute("ROLLBACK TO SAVEPOINT before_the_change")
    return words
