"""Events committed together: a bad one hurts no neighbour, none is answered before it is stored, none pays twice."""

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from rails.models import JournalEntry
from settlements import audit, inbox, inbox_batch, lifecycle, milestones, received, release
from settlements.api import request_ids
from settlements.models import AuditEvent, MilestoneSettlement, ShipmentEvent
from tests.factories import HIGH, MEDIUM, PICKUP, POD, a_token, a_user, an_intent, approve, message_of
from tests.flows.conftest import PAST, Api
from tests.flows.test_failures import broken
from tests.flows.test_sources import a_sender, refused, revoke_all
from tests.rails.killed import killed_before_line
from tests.settlements.lived_in import verified

pytestmark = pytest.mark.usefixtures("live")
POISON = 777


class Gate:
    """Holds the first batch until all the others wait, and keeps how many came together."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, others: int) -> None:
        self.sizes: list[int] = []
        self.before: Callable[[], None] = lambda: None
        self._others = others
        self._real = inbox_batch.receive
        monkeypatch.setattr(inbox_batch, "receive", self._receive)

    def _receive(self, messages: Sequence[Any], **others: Any) -> list[Any]:
        self.sizes.append(len(messages))
        if len(self.sizes) == 1:
            while inbox._TOGETHER.waiting < self._others:
                pass
        if len(self.sizes) == 2:
            self.before()
        return self._real(messages, **others)


def together(monkeypatch: pytest.MonkeyPatch, calls: Sequence[Callable[[], Any]], **others: Any) -> list[Any]:
    """What the calls answer that are made while another event is being committed: they are one batch."""
    gate = Gate(monkeypatch, len(calls))
    for name, value in others.items():
        setattr(gate, name, value)
    first = partial(Api().event, an_intent().shipment.shipment_id)

    def run(call: Callable[[], Any]) -> Any:
        try:
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls) + 1) as pool:
        opening = pool.submit(run, first)
        while not gate.sizes:
            pass
        answers = [future.result() for future in [pool.submit(run, call) for call in calls]]
        assert opening.result().status_code == 200
    assert gate.sizes[0] == 1
    return answers


def a_shipment(**fields: Any) -> str:
    reference: str = an_intent(**fields).shipment.shipment_id
    return reference


def outcomes(answers: Sequence[Any]) -> list[tuple[int, int]]:
    return [(each.status_code, each.json()["milestone_settlements_created"]) for each in answers]


def test_one_bad_event_of_64_waits_for_the_sweep_and_the_others_are_paid(monkeypatch: pytest.MonkeyPatch) -> None:
    shipments = [a_shipment() for _ in range(63)]
    shipments.insert(30, a_shipment(amount=POISON))
    with broken("rails_journalentry", f"NEW.amount_minor = {70 * POISON}"):
        answers = together(monkeypatch, [partial(Api().event, each) for each in shipments])
    assert outcomes(answers[:30] + answers[31:]) == [(200, 1)] * 63
    assert (answers[30].status_code, answers[30].json()["processed_at"]) == (202, None)
    assert JournalEntry.objects.count() == 64
    assert ShipmentEvent.objects.get(state="WAITING").shipment.shipment_id == shipments[30]
    verified()


def test_events_of_several_senders_bear_their_own_senders_names(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    senders, shipments = [a_sender() for _ in range(3)], [a_shipment() for _ in range(3)]
    posts = [partial(sender.post, shipment) for sender, shipment in zip(senders, shipments, strict=True)]
    assert outcomes(together(monkeypatch, posts)) == [(200, 1)] * 3
    for sender, shipment in zip(senders, shipments, strict=True):
        (created,) = AuditEvent.objects.filter(intent__shipment__shipment_id=shipment, action="settlement_created")
        assert created.triggered_by == f"source:{sender.name}"


class Listener(logging.Handler):
    """Each line with the request to which it would be put down."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str, logging.LogRecord]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((request_ids.current(), record))


def test_each_request_is_told_with_its_own_event_and_none_with_what_became_of_anothers(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    listener, shipments = Listener(), [a_shipment() for _ in range(3)]
    posts = [
        partial(Api().send, "POST", "/webhooks/shipment_event", an_event(each), X_Request_ID=f"of-{each}")
        for each in shipments
    ]
    with caplog.at_level("INFO"), caplog.at_level("INFO", logger="chainpay.requests"):
        logging.getLogger().addHandler(listener)
        try:
            assert outcomes(together(monkeypatch, posts)) == [(200, 1)] * 3
        finally:
            logging.getLogger().removeHandler(listener)
    events = dict(ShipmentEvent.objects.values_list("shipment__shipment_id", "pk"))
    answered = {
        request: getattr(record, "event_id", None) for request, record in listener.lines if hasattr(record, "route")
    }
    assert answered.items() >= {(f"of-{each}", events[each]) for each in shipments}
    created = [request for request, record in listener.lines if record.name == "settlements.lifecycle"]
    assert sorted(created)[:3] == ["-"] * 3, "three together, and the opening one alone under its own request"
    assert len(created) == 4
    assert sorted(created)[3] != "-"


def an_event(shipment: str) -> dict[str, str]:
    return {"shipment_id": shipment, "event_type": POD, "occurred_at": PAST}


def test_two_events_of_one_shipment_at_once_are_both_processed(monkeypatch: pytest.MonkeyPatch) -> None:
    intent = an_intent()
    calls = [partial(Api().event, intent.shipment.shipment_id, event_type) for event_type in (PICKUP, POD)]
    assert outcomes(together(monkeypatch, calls)) == [(200, 1)] * 2
    assert list(AuditEvent.objects.filter(intent=intent).values_list("sequence", flat=True)) == [1, 2, 3]
    verified()


def test_one_event_ten_times_at_once_pays_once_and_gets_one_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    shipment = a_shipment()
    answers = together(monkeypatch, [partial(Api().event, shipment, event_id="same")] * 10)
    assert outcomes(answers) == [(200, 1)] * 10
    assert len({answer.content for answer in answers}) == 1
    assert (ShipmentEvent.objects.count(), JournalEntry.objects.count()) == (2, 2)


def test_one_message_id_for_two_shipments_at_once_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = [partial(Api().event, a_shipment(), event_id="same") for _ in range(2)]
    answers = together(monkeypatch, calls)
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert JournalEntry.objects.count() == 2


def test_a_source_that_is_revoked_as_its_event_waits_is_refused_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    ended, other = a_sender(), a_sender()
    shipments = [a_shipment() for _ in range(4)]
    for sender in (ended, other):
        assert sender.post(a_shipment(), PICKUP).status_code == 200
    calls = [partial(sender.post, each) for sender, each in zip([ended, other] * 2, shipments, strict=True)]

    def revoke() -> None:
        revoke_all(ended)

    answers = together(monkeypatch, calls, before=revoke)
    assert all(refused(answer) for answer in answers[::2])
    assert outcomes(answers[1::2]) == [(200, 1)] * 2
    assert not ShipmentEvent.objects.filter(shipment__shipment_id__in=shipments[::2]).exists()


def test_a_carrier_reaches_its_own_freight_only_among_others(monkeypatch: pytest.MonkeyPatch) -> None:
    carrier = a_sender("CARRIER-1")
    own = an_intent(token=a_token(carrier_id="CARRIER-1")).shipment.shipment_id
    foreign = an_intent(token=a_token(carrier_id="CARRIER-2")).shipment.shipment_id
    answers = together(monkeypatch, [partial(carrier.post, own), partial(carrier.post, foreign)])
    assert outcomes(answers[:1]) == [(200, 1)]
    assert refused(answers[1], "shipment_not_found", 404)


def test_what_is_not_plain_gets_its_usual_answer_among_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A repeat, a shipment never heard of, an event that releases nothing, one that comes too late."""
    repeated, done, plain = a_shipment(), a_shipment(), a_shipment()
    first = Api().event(repeated, event_id="m").content
    assert Api().event(done).status_code == 200
    api = Api()
    answers = together(
        monkeypatch,
        [
            partial(api.event, repeated, event_id="m"),
            partial(api.event, "NEVER-HEARD-OF"),
            partial(api.event, done, event_id="another"),
            partial(api.event, plain, "IN_TRANSIT"),
            partial(api.event, a_shipment(risk=MEDIUM), PICKUP),
            partial(api.event, a_shipment(risk=HIGH)),
        ],
    )
    assert outcomes(answers) == [(200, 1), (200, 0), (200, 0), (200, 0), (200, 1), (200, 1)]
    assert answers[0].content == first
    states = dict(ShipmentEvent.objects.values_list("shipment__shipment_id", "state").order_by("pk"))
    assert (states["NEVER-HEARD-OF"], states[done], states[plain]) == ("PARKED", "DUPLICATE", "PROCESSED")
    assert set(MilestoneSettlement.objects.order_by("-pk").values_list("status", flat=True)[:2]) == {
        "DELAYED",
        "PENDING",
    }
    verified()


def test_a_busy_shipment_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    busy, free = a_shipment(), a_shipment()
    answers: dict[str, Any] = {}

    def post(shipment: str) -> None:
        answers[shipment] = Api().event(shipment)
        connections.close_all()

    threads = [threading.Thread(target=post, args=(shipment,)) for shipment in (busy, free)]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT id FROM settlements_shipment WHERE shipment_id = %s FOR UPDATE", [busy])
        for thread in threads:
            thread.start()
        threads[1].join(timeout=30)
        assert set(answers) == {free}
    threads[0].join(timeout=30)
    assert outcomes([answers[busy], answers[free]]) == [(200, 1)] * 2


@contextmanager
def statements_end_after(milliseconds: int) -> Iterator[None]:
    """For every connection that is opened inside."""
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute(f'ALTER DATABASE "{name}" SET statement_timeout = {milliseconds}')
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f'ALTER DATABASE "{name}" RESET statement_timeout')


def test_a_statement_that_takes_too_long_ends_for_its_own_event_only(monkeypatch: pytest.MonkeyPatch) -> None:
    shipments = [a_shipment(), a_shipment(amount=POISON), a_shipment()]
    slow = f"NEW.amount_minor = {70 * POISON} AND pg_sleep(30) IS NULL"
    with broken("rails_journalentry", slow), statements_end_after(3_000):
        answers = together(monkeypatch, [partial(Api().event, each) for each in shipments])
    assert [answer.status_code for answer in answers] == [200, 202, 200]
    assert JournalEntry.objects.count() == 3
    assert "statement timeout" in ShipmentEvent.objects.get(state="WAITING").error


@pytest.mark.parametrize("end", [SystemExit, MemoryError])
@pytest.mark.parametrize("committed", [False, True])
def test_the_leader_dies_and_its_followers_are_answered_and_paid_once(
    monkeypatch: pytest.MonkeyPatch, end: type[BaseException], committed: bool
) -> None:
    real = inbox_batch.receive

    def dies(messages: Sequence[Any], **others: Any) -> list[Any]:
        if len(messages) == 1:
            return real(messages, **others)
        if committed:
            real(messages, **others)
        raise end

    monkeypatch.setattr(inbox_batch, "receive", dies)

    def post(shipment: str) -> Any:
        try:
            return Api().event(shipment, event_id=shipment)
        except SystemExit:
            return None

    shipments = [a_shipment() for _ in range(4)]
    answers = together(monkeypatch, [partial(post, each) for each in shipments])
    died = [place for place, answer in enumerate(answers) if answer is None or answer.status_code != 200]
    assert len(died) == 1
    assert outcomes([answer for place, answer in enumerate(answers) if place not in died]) == [(200, 1)] * 3
    again = Api().event(shipments[died[0]], event_id=shipments[died[0]])
    assert outcomes([again]) == [(200, 1)]
    assert (ShipmentEvent.objects.count(), JournalEntry.objects.count()) == (5, 5)
    verified()


def test_a_process_that_is_killed_at_any_line_of_a_batch_has_paid_all_of_it_or_nothing() -> None:
    modules: list[ModuleType] = [audit, inbox_batch, lifecycle, milestones, received]
    line, killed = 1, True
    while killed:
        shipments = [a_shipment() for _ in range(3)]
        connections.close_all()
        killed = killed_before_line(line, modules, partial(_three_at_once, shipments))
        assert _stored(shipments) in {0, 3}
        _repeated_and_paid_once(shipments)
        line += 43
    assert line > 200


def test_a_process_that_is_killed_between_commit_and_answer_has_paid_and_the_repeat_gets_the_answer() -> None:
    shipments = [a_shipment() for _ in range(3)]
    connections.close_all()

    def dies() -> None:
        _three_at_once(shipments)
        os.kill(os.getpid(), signal.SIGKILL)

    assert killed_before_line(0, [], dies)
    assert _stored(shipments) == 3
    _repeated_and_paid_once(shipments)


def _stored(shipments: Sequence[str]) -> int:
    return ShipmentEvent.objects.filter(shipment__shipment_id__in=shipments).count()


def _repeated_and_paid_once(shipments: Sequence[str]) -> None:
    for shipment in shipments:
        assert inbox.receive(_message(shipment), now=timezone.now()).settlements_created == 1
    created = MilestoneSettlement.objects.filter(intent__shipment__shipment_id__in=shipments)
    assert created.count() == JournalEntry.objects.filter(milestone_id__in=created.values("pk")).count() == 3


def _message(shipment: str) -> inbox.Message:
    return message_of(shipment, message_id=f"of {shipment}")


def _three_at_once(shipments: Sequence[str]) -> None:
    """One batch, in the thread that is watched; the answers are what its threads would get."""
    answers = inbox_batch.receive([_message(each) for each in shipments], now=timezone.now())
    assert [answer and answer.settlements_created for answer in answers] == [1, 1, 1]


def test_batches_sweeps_and_approvals_at_once_end_with_all_paid_once_and_without_a_deadlock(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CHAINPAY_HOLD_SECONDS = -1
    officers = [a_user(), a_user()]
    waiting = [an_intent(risk=HIGH, amount=100) for _ in range(10)]
    shipments = [each.shipment.shipment_id for each in waiting] + [a_shipment(risk=MEDIUM) for _ in range(20)]
    for intent in waiting:
        assert Api().event(intent.shipment.shipment_id).status_code == 200

    def review() -> None:
        for settlement in MilestoneSettlement.objects.filter(intent__in=waiting, event_type=POD):
            approve(settlement, officers[0])

    def sweep() -> None:
        for _ in range(15):
            release.sweep(now=timezone.now())

    calls: list[Callable[[], Any]] = [partial(Api().event, each, kind) for kind in (PICKUP, POD) for each in shipments]
    before = _deadlocks()
    done: list[Any] = []

    def run(call: Callable[[], Any]) -> Any:
        try:
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(16) as pool:
        others = [pool.submit(run, each) for each in (review, sweep, sweep)]
        done = [future.result() for future in [pool.submit(run, call) for call in calls]]
        for other in others:
            other.result()
    assert {answer.status_code for answer in done} == {200}
    sweep()
    assert _deadlocks() == before
    approved = MilestoneSettlement.objects.filter(status="APPROVED")
    assert approved.filter(intent__in=waiting).count() == 10
    assert JournalEntry.objects.count() == approved.count() == 10 + 2 * 20
    verified()


def _deadlocks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        row: tuple[int] = cursor.fetchone()
    return row[0]


def test_a_batch_that_takes_too_long_gives_way(live: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[str] = []
    real = milestones.process_milestones

    def noted(**given: Any) -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('statement_timeout')")
            limits.append(cursor.fetchone()[0])
        return real(**given)

    monkeypatch.setattr(milestones, "process_milestones", noted)
    shipment = an_intent().shipment
    limits.clear()
    assert live.event(shipment.shipment_id, "POD_CONFIRMED")
    assert limits == ["10s"]
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)
