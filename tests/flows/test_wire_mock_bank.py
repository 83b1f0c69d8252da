"""The whole loop against a bank of somebody else's making: our file out, its reports in, a person's word, a return."""

import json
import shutil
import threading
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from mockbank.db import iban
from mockbank.server import Config, make_server

from rails import destinations
from rails.models import RailAttempt, WireEntry, WireEvidence, WireFile, WireMessage
from rails.wire import inbox
from rails.wire.configuration import WireConfiguration
from rails.wire.rail import WireRail
from settlements import submitting, verify, wires
from settlements.models import MilestoneSettlement
from settlements.statuses import SettlementStatus as S
from tests.factories import POD, a_recipient, a_user, an_intent, approve, now, settlement_of
from tests.rails.wire.bank import CREDITOR, DEBTOR, at_the_bank

pytestmark = pytest.mark.django_db

# Bank time and ours: a Monday, after our cut-off of ten and before the bank's of three in the afternoon.
AT = datetime(2026, 11, 30, 9, 0, 5, tzinfo=UTC)
ACME = iban("NL", "MOCK0000000001")
GOOD = {"iban": iban("NL", "MOCK0000000005"), "bic": "MOCKNL2A"}
CLOSED = {"iban": iban("NL", "MOCK0000000003"), "bic": "MOCKNL2A"}


class MockBank:
    """mock-bank behind its two directories and its clock."""

    def __init__(self, place: Path) -> None:
        self.drop, self.pickup = place / "drop", place / "pickup"
        self.drop.mkdir()
        self.pickup.mkdir()
        self._server = make_server(
            Config(
                port=0,
                quiet=True,
                clock="2026-11-30T09:00",
                drop_dir=str(self.drop),
                pickup_dir=str(self.pickup),
                drop_settle_ms=0,
                drop_interval_ms=3_600_000,
            )
        )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        url = f"http://127.0.0.1:{self._server.server_address[1]}{path}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or "null")

    def behave(self, behaviour: str, **parameters: Any) -> None:
        self.ask("PATCH", "/_mock/accounts/ACME", {"behaviour": behaviour, "parameters": parameters})

    def take(self, path: Path, name: str = "") -> dict[str, Any]:
        """A courier brings a file from our outbox, and the bank reads it."""
        shutil.copy(path, self.drop / (name or path.name))
        (read,) = self.ask("POST", "/_mock/drop/scan")["files"]
        assert isinstance(read, dict)
        return read

    def days(self, number: int) -> None:
        self.ask("POST", f"/_mock/advance?days={number}")


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[MockBank]:
    bank = MockBank(tmp_path)
    try:
        yield bank
    finally:
        bank.close()


@pytest.fixture
def ours(tmp_path: Path, bank: MockBank, settings: Any) -> WireConfiguration:
    outbox = tmp_path / "outbox"
    outbox.mkdir()
    settings.WIRE = WireConfiguration.read(
        outbox=outbox,
        inbox=bank.pickup,
        debtor=DEBTOR,
        accounts={"EUR": {"iban": ACME, "bic": "MOCKNL2A", "cut_offs": ["10:00"], "time_zone": "Europe/Amsterdam"}},
        window_minutes=60,
        every_day=False,
    )
    configuration: WireConfiguration = settings.WIRE
    return configuration


def released(*accounts: dict[str, str]) -> list[MilestoneSettlement]:
    """A settlement by wire for each account, approved by two."""
    made = []
    for account in accounts:
        recipient = a_recipient()
        details = destinations.read("wire", {**CREDITOR, "country": "NL", "town": "Utrecht", **account})
        destinations.propose(recipient.pk, [details], actor="test", now=now())
        settlement = settlement_of(an_intent(recipient=recipient, payment_method="wire", currency="EUR"), POD)
        for _ in range(2):
            approve(settlement, a_user())
        made.append(settlement)
    return made


def send(ours: WireConfiguration) -> Path:
    submitting.submit(WireRail(), clock=lambda: AT)
    (file,) = at_the_bank(ours)
    return file


def hear(bank: MockBank) -> None:
    inbox.read(bank.pickup, whole_after=0)
    assert not [path for path in bank.pickup.iterdir() if not path.name.startswith(".")]
    assert not WireMessage.objects.exclude(fault="").exists()


def evidence(settlement: MilestoneSettlement) -> list[tuple[str, str]]:
    rows = WireEvidence.objects.filter(entry__milestone_id=settlement.pk).order_by("message_id", "place")
    return [(row.status, row.proposes) for row in rows]


def say(settlement: MilestoneSettlement, word: str) -> str:
    """A person agrees with the newest proposal, under the reference that the bank gave."""
    row = WireEvidence.objects.filter(entry__milestone_id=settlement.pk, proposes=word).latest("id")
    assert row.entry is not None
    act: Any = {"CONFIRMED": wires.confirm, "REFUSED": wires.refuse, "RETURNED": wires.take_back}[word]
    reference = row.bank_reference or row.message.message_id
    act(row.entry.pk, bank_reference=reference, reason=row.reason or row.status, user=a_user(), now=now())
    settlement.refresh_from_db()
    for _ in verify.everything():
        pass
    return settlement.status


def test_the_bank_finds_nothing_wrong_with_our_file(bank: MockBank, ours: WireConfiguration) -> None:
    released(GOOD, GOOD, CLOSED)
    file = send(ours)
    url = f"http://127.0.0.1:{bank._server.server_address[1]}/_mock/validate"
    with urllib.request.urlopen(urllib.request.Request(url, file.read_bytes(), method="POST"), timeout=10) as answer:
        said = answer.read().decode()
    assert "error" not in said
    assert f"{WireFile.objects.get().message_id}: 1 batch, 3 payments" in said


def test_accepted_booked_confirmed_and_one_refused(bank: MockBank, ours: WireConfiguration) -> None:
    good, closed = released(GOOD, CLOSED)
    report = bank.take(send(ours))
    assert report["status"] == "PART", report
    hear(bank)
    assert ("ACCP", "") in evidence(good)
    assert evidence(closed) == [("RJCT", "REFUSED")]
    good.refresh_from_db()
    assert good.status == S.APPROVED  # what the bank's files say moves nothing
    assert say(closed, "REFUSED") == S.RETURNED
    bank.days(1)
    hear(bank)
    assert ("booked: debit", "CONFIRMED") in evidence(good)
    assert say(good, "CONFIRMED") == S.SETTLED
    entry = WireEntry.objects.get(milestone_id=good.pk)
    assert entry.answers.get().bank_reference == "MB-PMT-1"
    assert "AC04" in RailAttempt.objects.get(milestone_id=closed.pk).error


def test_a_payment_comes_back_days_after_it_was_confirmed(bank: MockBank, ours: WireConfiguration) -> None:
    (settlement,) = released(GOOD)
    bank.behave("return-later", days=3, reason="MD07")
    bank.take(send(ours))
    bank.days(1)
    hear(bank)
    assert say(settlement, "CONFIRMED") == S.SETTLED
    bank.days(4)
    hear(bank)
    back = WireEvidence.objects.filter(proposes="RETURNED", entry__milestone_id=settlement.pk)
    kinds = {row.message.kind for row in back}
    assert {"pacs.004.001.09", "camt.054.001.08"} <= kinds
    assert {row.amount_minor for row in back} == {700_000}
    assert {row.bank_reference for row in back} == {"MB-RTR-1"}
    assert say(settlement, "RETURNED") == S.RETURNED


def test_a_file_that_is_refused_whole_speaks_for_refusing_each_of_its_wires(
    bank: MockBank, ours: WireConfiguration
) -> None:
    settlements = released(GOOD, GOOD)
    bank.behave("reject-file")
    assert bank.take(send(ours))["status"] == "RJCT"
    hear(bank)
    for settlement in settlements:
        assert evidence(settlement) == [("RJCT", "REFUSED")]
        assert say(settlement, "REFUSED") == S.RETURNED


def test_a_file_that_reaches_the_bank_twice_is_paid_once_and_proposes_no_refusal(
    bank: MockBank, ours: WireConfiguration
) -> None:
    """A courier's mistake, or a disk that forgot: the same bytes under the same message number."""
    (settlement,) = released(GOOD)
    file = send(ours)
    bank.take(file)
    hear(bank)
    assert bank.take(file, "again.xml")["status"] == "RJCT"
    hear(bank)
    assert ("RJCT", "") in evidence(settlement)
    assert ("RJCT", "REFUSED") not in evidence(settlement)
    assert say(settlement, "CONFIRMED") == S.SETTLED


def test_a_refused_wire_is_paid_by_a_second_attempt_in_another_file(bank: MockBank, ours: WireConfiguration) -> None:
    (settlement,) = released(CLOSED)
    bank.take(send(ours))
    hear(bank)
    assert say(settlement, "REFUSED") == S.RETURNED
    attempt = RailAttempt.objects.get(milestone_id=settlement.pk)
    assert (attempt.state, attempt.returned_minor) == ("RETURNED", attempt.amount_minor)


def test_a_statement_read_twice_under_two_names_is_one(bank: MockBank, ours: WireConfiguration) -> None:
    (settlement,) = released(GOOD)
    bank.take(send(ours))
    (report,) = bank.pickup.glob("pain.002*")
    shutil.copy(report, bank.pickup / "another name.xml")
    hear(bank)
    assert WireMessage.objects.count() == 2  # the report, and the notification of the debit
    assert evidence(settlement) == [("ACCP", ""), ("booked: debit", "CONFIRMED")]
    shutil.copy(next((bank.pickup / ".done").iterdir()), bank.pickup / "a week later.xml")
    hear(bank)
    assert WireMessage.objects.count() == 2
