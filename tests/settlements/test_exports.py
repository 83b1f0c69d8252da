"""Exports: what leaves is what is asked for, as of one moment, inert in spreadsheets, and on record at both ends."""

import csv
import hashlib
import io
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import F
from django.test import Client

from compliance import roles
from rails.models import Recipient
from rails.money import EXPONENTS, Money
from settlements.exports import figures, snapshot, statements, streaming
from settlements.exports.columns import major_sql
from settlements.exports.datasets import KNOWN
from settlements.exports.severing import Severing
from settlements.models import AuditEvent, Export, MilestoneSettlement, OfficeEvent
from tests.factories import platform_source
from tests.flows.conftest import Api

pytestmark = pytest.mark.django_db(transaction=True)
PATHS = {name: f"/exports/{name}.csv" for name in KNOWN}


@pytest.fixture(autouse=True)
def _demo(settings: Any) -> None:
    settings.CHAINPAY_DEMO = True
    roles.install()
    platform_source()


@pytest.fixture
def api() -> Api:
    return Api()


def lived_in(api: Api) -> None:
    """Money in three currencies: released, delayed, waiting."""
    api.put("/recipients/acme-haulage", {"name": "=1+1"})
    for amount, currency, risk in (
        (1000, "USD", "0.1"),
        (500, "JPY", "0.1"),
        ("12.345", "KWD", "0.9"),
        (7, "USD", "0.9"),
    ):
        token, shipment = api.token(risk=risk, recipient_id="acme-haulage")
        api.intent(token, amount, currency)
        api.event(shipment)


def exported(api: Api, path: str) -> tuple[list[dict[str, str]], bytes]:
    answer = api.send("GET", path)
    assert answer.status_code == 200, answer.content
    content = b"".join(answer.streaming_content)
    answer.close()
    return list(csv.DictReader(io.StringIO(content.decode()), strict=True)), content


@pytest.mark.parametrize("name", KNOWN)
def test_every_dataset_is_its_columns_in_their_order(api: Api, name: str) -> None:
    lived_in(api)
    _, content = exported(api, PATHS[name])
    assert content.partition(b"\n")[0].decode().split(",") == [column.name for column in KNOWN[name].columns]
    assert not content.startswith(b"\xef\xbb\xbf")


def test_a_settlement_is_one_line_from_its_event_to_its_reference(api: Api) -> None:
    lived_in(api)
    rows, _ = exported(api, PATHS["settlements"] + "?status=approved&currency=JPY")
    (row,) = rows
    one = MilestoneSettlement.objects.get(currency="JPY")
    assert row["milestone_id"] == str(one.pk)
    assert row["amount"] == Money(one.amount_minor, "JPY").text
    assert (row["event_type"], row["event_source"], row["rail"]) == ("POD_CONFIRMED", "platform", "internal_ledger")
    assert row["reference"] == one.reference
    assert row["recipient_name"] == "'=1+1"
    assert row["decided_at"] == one.created_at.isoformat(timespec="microseconds")


def test_the_figures_on_record_are_those_of_the_file(api: Api) -> None:
    lived_in(api)
    rows, content = exported(api, PATHS["settlements"] + "?risk_tier=low")
    export = Export.objects.get()
    assert (export.state, export.delivery, export.rows_done, export.rows_total) == (
        "SENT",
        "STREAM",
        len(rows),
        len(rows),
    )
    assert export.sha256 == hashlib.sha256(content).hexdigest()
    assert export.bytes_done == len(content)
    sums: dict[str, Money] = {}
    for row in rows:
        amount = Money.from_major(row["amount"], row["currency"])
        sums[row["currency"]] = sums.get(row["currency"], Money.zero(row["currency"])) + amount
    assert export.totals == {currency: amount.text for currency, amount in sums.items()}
    dataset = KNOWN["settlements"]
    on_screen = figures.read(dataset, dataset.select({"risk_tier": "low"}), key=dataset.key)
    assert (on_screen.rows, on_screen.totals) == (len(rows), export.totals)


def test_both_ends_are_in_the_log_of_the_office(api: Api) -> None:
    lived_in(api)
    exported(api, PATHS["audit_events"] + "?to_status=approved")
    begun, done = OfficeEvent.objects.order_by("sequence")
    assert (begun.action, done.action) == ("export_begun", "exported")
    assert (begun.subject, begun.actor) == ("audit_events", "demo")
    assert begun.data["asked"]["filters"] == {"to_status": "approved"}
    assert begun.data["filter"] == "to_status: approved"
    assert done.data["rows"] == AuditEvent.objects.filter(to_status="APPROVED").count() > 0
    assert len(done.data["sha256"]) == 64


def test_an_overdue_transfer_that_can_not_be_cut_is_spoilt(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    lived_in(api)
    tried = Event()
    monkeypatch.setattr(streaming, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(streaming, "LONGEST", timedelta(0))

    def in_vain(_: Severing) -> bool:
        tried.set()
        return False

    monkeypatch.setattr(Severing, "sever", in_vain)
    answer = api.send("GET", PATHS["settlements"])
    assert tried.wait(30)
    assert b"".join(answer.streaming_content).endswith(streaming.BROKEN_OFF)
    assert Export.objects.get().state == "FAILED"


def test_a_client_that_hangs_up_is_on_record_and_holds_nothing(api: Api) -> None:
    lived_in(api)
    answer = api.send("GET", PATHS["settlements"])
    answer.close()
    export = Export.objects.get()
    assert export.state == "FAILED"
    assert OfficeEvent.objects.latest("sequence").action == "export_broken_off"
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                       " AND state LIKE 'idle in transaction%'")  # fmt: skip
        assert cursor.fetchone() == (0,)
    assert exported(api, PATHS["settlements"])[0]


@pytest.mark.parametrize("portion", [1, 3, 4, 9])
def test_portions_are_together_what_one_statement_says(api: Api, monkeypatch: pytest.MonkeyPatch, portion: int) -> None:
    lived_in(api)
    lived_in(api)
    Recipient.objects.update(name='two\n"lines"', revision=F("revision") + 1)
    assert MilestoneSettlement.objects.count() == 8
    monkeypatch.setattr(snapshot, "_FIRST_PORTION", 1)
    monkeypatch.setattr(snapshot, "_PORTION", portion)
    monkeypatch.setattr(snapshot, "_LINES_OF_A_PIECE", 2)
    dataset = KNOWN["settlements"]
    for query in ("", "?currency=JPY", "?status=approved"):
        selection = dataset.select(dict(part.split("=") for part in query.removeprefix("?").split("&") if part))
        with connection.cursor() as cursor:
            whole = statements.bound(
                cursor.connection, statements.lines(dataset, selection, key=dataset.key), selection
            )
            with cursor.copy(whole) as lines:
                expected = b"".join(lines)
        _, content = exported(api, PATHS["settlements"] + query)
        assert content.partition(b"\n")[2] == expected


def test_both_readers_see_the_moment_of_the_beginning(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    lived_in(api)
    monkeypatch.setattr(snapshot, "_FIRST_PORTION", 1)
    monkeypatch.setattr(snapshot, "_PORTION", 2)
    before = set(MilestoneSettlement.objects.values_list("pk", flat=True))
    answer = api.send("GET", PATHS["settlements"])
    lived_in(api)
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode()), strict=True))
    answer.close()
    assert {int(row["milestone_id"]) for row in rows} == before
    assert {row["recipient_name"] for row in rows} == {"'=1+1"}


@pytest.mark.parametrize("which", [0, 1])
def test_an_export_that_loses_one_of_its_readers_breaks_off(
    api: Api, monkeypatch: pytest.MonkeyPatch, which: int
) -> None:
    lived_in(api)
    monkeypatch.setattr(snapshot, "_FIRST_PORTION", 1)
    monkeypatch.setattr(snapshot, "_PORTION", 1)
    answer = api.send("GET", PATHS["settlements"])
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
            " ORDER BY backend_start"
        )
        readers = [pid for (pid,) in cursor.fetchall()]
        assert len(readers) == 2
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [readers[which]])
    assert b"".join(answer.streaming_content).endswith(streaming.BROKEN_OFF)
    answer.close()
    assert Export.objects.get().state == "FAILED"


def test_a_head_exports_nothing(api: Api) -> None:
    answer = api.send("HEAD", PATHS["settlements"])
    assert (answer.status_code, answer["Content-Disposition"][:34]) == (200, 'attachment; filename="chainpay_set')
    assert not Export.objects.exists()


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("from=2026-13-01", "from_invalid", "from"),
        ("from=2026-1-1", "from_invalid", "from"),
        ("from=2026-02-02&to=2026-02-01", "to_invalid", "to"),
        ("status=nonsense", "status_invalid", "status"),
        ("status=APPROVED", "status_invalid", "status"),
        ("payment_intent_id=0", "payment_intent_id_invalid", "payment_intent_id"),
        ("recipient_id=", "recipient_id_invalid", "recipient_id"),
        ("nothing=1", "unknown_parameter", "nothing"),
        ("currency=USD&currency=EUR", "repeated_parameter", "currency"),
    ],
)
def test_what_can_not_be_read_is_refused_and_exports_nothing(api: Api, query: str, code: str, field: str) -> None:
    answer = api.send("GET", PATHS["settlements"] + "?" + query)
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (400, code, field)
    assert not Export.objects.exists()


@pytest.mark.parametrize("currency", EXPONENTS)
@pytest.mark.parametrize("minor", [0, 1, -1, 12345, -12345, 10**15])
def test_amounts_have_the_digits_of_their_currency_and_keep_their_sign(currency: str, minor: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {major_sql('a.minor', 'a.currency')}::text"
                       " FROM (VALUES (%s::bigint, %s::text)) AS a (minor, currency)", [minor, currency])  # fmt: skip
        assert cursor.fetchone() == (Money(minor, currency).text,)


@pytest.mark.parametrize("name", KNOWN)
def test_the_first_column_is_the_key_that_portions_go_by(name: str) -> None:
    assert KNOWN[name].columns[0].sql == KNOWN[name].key


def test_the_client_is_logged_in_here_by_nothing_but_its_header(settings: Any) -> None:
    settings.CHAINPAY_DEMO = False
    User.objects.create_superuser("root")
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.get(username="root"))
    assert client.get(PATHS["settlements"]).status_code == 401
