"""Rows that no audit event repeats are sealed in the office's chain, and whoever edits one afterwards is found."""

import logging
from collections.abc import Iterator

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction

from settlements.models import BooksCheck, OfficeEvent
from settlements.proof import seals
from settlements.verification import office
from settlements.verification import seals as verification
from settlements.verification.differences import Difference
from tests.factories import ACTOR, a_user, now
from tests.flows.pretend_provider import PretendProvider, a_payable_recipient, pretend_provider
from tests.flows.resolving import returned
from tests.rails import stripe_rows
from tests.settlements.lived_in import World
from tests.settlements.prompt import dsn, one, rows
from tests.settlements.rows import office_rows

# Another value of the same type, as SQL.
_OTHER = {
    "bigint": "{} + 1000000",
    "integer": "{} + 1000000",
    "smallint": "{} + 1",
    "text": "{} || 'x'",
    "character varying": "'EUR'",
    "boolean": "NOT {}",
    "bytea": "{} || 'x'::bytea",
    "jsonb": "jsonb_build_array({}, 1)",
    "date": "{} + 1",
    "uuid": "gen_random_uuid()",
    "time without time zone": "{} + interval '1 minute'",
    "timestamp with time zone": "{} + interval '1 microsecond'",
}


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendProvider]:
    with pretend_provider(monkeypatch) as pretended:
        yield pretended


@pytest.fixture
def sealed(world: World, provider: PretendProvider) -> None:
    """A house with rows in most of the tables, all of them sealed."""
    returned(provider, a_payable_recipient())
    a_user()
    stripe_rows.load(now())
    office_rows(now())
    assert seals.seal_new(actor=ACTOR, now=now()) > 0


def found() -> str:
    try:
        verification.check()
    except Difference as difference:
        return str(difference)
    return "nothing"


def asleep(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement)
        assert cursor.rowcount, statement
        cursor.execute("SET LOCAL session_replication_role = origin")


def found_after(statement: str) -> str:
    """What is found after an edit, which is undone again; that a constraint refuses it even then."""
    try:
        with transaction.atomic():
            asleep(statement)
            words = found()
            transaction.set_rollback(True)
    except IntegrityError:
        return "refused"
    return words


def test_what_is_sealed_once_is_not_sealed_again(sealed: None) -> None:
    count = OfficeEvent.objects.count()
    assert seals.seal_new(actor=ACTOR, now=now()) == 0
    assert OfficeEvent.objects.count() == count
    event = OfficeEvent.objects.filter(action="rows_sealed").latest("sequence")
    assert verification.check() == event.data["rows"] == sum(seal["rows"] for seal in event.data["seals"])
    assert office.check() == count


def test_a_later_seal_goes_on_where_the_one_before_it_ended(sealed: None) -> None:
    before, last = verification.check(), one("SELECT max(id) FROM settlements_bookscheck")
    BooksCheck.objects.create(actor="beat", started_at=now(), finished_at=now())
    assert seals.seal_new(actor=ACTOR, now=now()) == 1
    (seal,) = OfficeEvent.objects.latest("sequence").data["seals"]
    assert (seal["table"], seal["after"], seal["rows"]) == ("settlements_bookscheck", last, 1)
    assert verification.check() == before + 1


def test_every_column_that_is_sealed_is_held(sealed: None) -> None:
    types = {(table, column): kind for table, column, kind in rows(
        "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns "
        "WHERE table_schema = current_schema()"
    )}  # fmt: skip
    missed, held = [], 0
    for table, columns in seals.SEALED.items():
        if not one(f"SELECT count(*) FROM {table}"):
            continue
        for column in columns[1:]:
            other = _OTHER[types[table, column]].format(column)
            words = found_after(f"UPDATE {table} SET {column} = coalesce({other}, {_present(types[table, column])})")
            if words != "refused" and f"table {table}, ids " not in words:
                missed.append((table, column, words))
            held += words != "refused"
    assert missed == []
    assert held > 60


def _present(kind: str) -> str:
    return {"bigint": "7", "integer": "7", "smallint": "7", "date": "now()::date", "jsonb": "'[]'", "bytea": "'x'",
            "timestamp with time zone": "now()", "boolean": "true", "uuid": "gen_random_uuid()",
            "time without time zone": "'12:00'"}.get(kind, "'x'")  # fmt: skip


@pytest.mark.parametrize("table", ["rails_railnotice", "rails_posting", "settlements_shipmentevent"])
def test_a_row_that_is_gone_or_came_later_is_found(sealed: None, table: str) -> None:
    gone = found_after(f"DELETE FROM {table} WHERE id = (SELECT min(id) FROM {table})")
    assert f"table {table}, ids 1 to " in gone
    assert "rows that office event" in gone
    assert ", but " in gone
    moved = found_after(f"UPDATE {table} SET id = id - 1000 WHERE id = (SELECT max(id) FROM {table})")
    assert f"table {table}, ids 1 to " in moved


def test_every_statement_of_a_digest_is_one_of_the_tables_there_are(db: None) -> None:
    for table, columns in seals.SEALED.items():
        assert rows(seals.digest_of(table, columns), 0, 0)[0][0] == 0


def test_a_row_before_the_first_id_lies_outside_of_every_seal(sealed: None) -> None:
    words = found_after(
        "INSERT INTO settlements_bookscheck (id, actor, started_at, finished_at, rows, proven, failed_check, "
        "difference, error, notes) SELECT -5, 'beat', now(), now(), 1, '[]', '', '', '', '[]'"
    )
    assert words == "table settlements_bookscheck, id -5: it lies outside of everything that is sealed"


def test_a_seal_that_does_not_go_on_is_named(sealed: None) -> None:
    second = OfficeEvent.objects.filter(action="rows_sealed").latest("sequence")
    again = found_after(
        "INSERT INTO settlements_officeevent (sequence, action, subject, actor, reason, data, created_at, prev_hash, "
        "hash) SELECT sequence + 1000, action, subject, actor, reason, data, created_at, prev_hash, hash "
        f"FROM settlements_officeevent WHERE id = {second.pk}"
    )
    assert f"office event {second.sequence + 1000}: it seals " in again
    assert "but the one before it ends at" in again


def test_a_first_seal_that_does_not_begin_at_the_beginning_is_named(db: None) -> None:
    seal = {"table": "rails_posting", "columns": ["id"], "after": 7, "last": 9, "rows": 0, "sha256": ""}
    with pytest.raises(Difference, match=r"office event 1: it seals rails_posting after id 7, but .* ends at 0"):
        verification._checked(1, seal, {})


@pytest.mark.django_db(transaction=True)
def test_nothing_is_sealed_that_a_transaction_may_still_add_to(caplog: pytest.LogCaptureFixture) -> None:
    """A writer that holds its lock may commit a lower number than the highest there is."""
    waited = []
    with psycopg.connect(**dsn()) as other:
        other.execute("LOCK TABLE rails_posting IN ROW EXCLUSIVE MODE")

        def until_it_ends(seconds: float) -> None:
            waited.append(seconds)
            if len(waited) == 2:
                other.commit()

        stripe_rows.load(now())
        assert seals.seal_new(actor=ACTOR, now=now(), sleep=until_it_ends) > 0
        assert len(waited) == 2
        other.execute("LOCK TABLE rails_posting IN ROW EXCLUSIVE MODE")
        with caplog.at_level(logging.WARNING):
            assert seals.seal_new(actor=ACTOR, now=now(), sleep=lambda seconds: None) == 0
    assert "Nothing was sealed" in caplog.text
    assert OfficeEvent.objects.filter(action="rows_sealed").count() == 1


@pytest.mark.django_db(transaction=True)
def test_who_only_reads_is_not_waited_for() -> None:
    stripe_rows.load(now())
    with psycopg.connect(**dsn()) as other:
        other.execute("SELECT count(*) FROM rails_posting")
        assert seals.seal_new(actor=ACTOR, now=now(), sleep=lambda seconds: pytest.fail("it waited")) > 0
