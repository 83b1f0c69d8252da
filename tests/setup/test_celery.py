"""The timetable wakes the sweep, and nothing it sends can pile up."""

from datetime import timedelta
from pathlib import Path

from django.conf import settings

from chainpay.celery import app
from chainpay.embedded.run import Run, _family
from chainpay.environment import read
from chainpay.timetable import Timetable


def test_the_sweep_is_woken_as_often_as_the_settings_say() -> None:
    entry = app.conf.beat_schedule["sweep"]
    assert entry["task"] == "settlements.sweep"
    assert entry["schedule"] == timedelta(seconds=settings.CHAINPAY_SWEEP_SECONDS)
    assert entry["options"]["expires"] <= settings.CHAINPAY_SWEEP_SECONDS


def test_what_waits_for_subscribers_is_looked_at_as_often_as_the_settings_say() -> None:
    entry = app.conf.beat_schedule["deliver"]
    assert entry["task"] == "settlements.deliver"
    assert entry["schedule"] == timedelta(seconds=settings.CHAINPAY_DELIVERY_SECONDS)


def test_the_team_is_told_as_often_as_the_settings_say() -> None:
    entry = app.conf.beat_schedule["digest"]
    assert entry["task"] == "compliance.digest"
    assert entry["schedule"] == timedelta(seconds=settings.CHAINPAY_DIGEST_SECONDS)
    app.loader.import_default_modules()
    assert "compliance.digest" in app.tasks


def test_a_message_is_given_back_when_its_worker_dies() -> None:
    assert app.conf.task_acks_late
    assert app.conf.task_reject_on_worker_lost
    assert app.conf.broker_transport_options["visibility_timeout"] > app.conf.task_time_limit


LONG = {"settlements.compare", "settlements.export", "settlements.reconcile", "settlements.verify_books"}


def queue_of(task: str) -> str:
    return str(app.amqp.router.route({}, task)["queue"].name)


def test_no_task_that_may_take_minutes_stands_before_money() -> None:
    tasks = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert tasks >= LONG
    assert {task for task in tasks if queue_of(task) == "long"} == LONG
    assert {queue_of(task) for task in tasks - LONG} == {"celery"}


def test_what_is_given_more_time_than_others_is_in_the_long_queue() -> None:
    app.loader.import_default_modules()
    patient = {name for name, task in app.tasks.items() if (task.time_limit or 0) > app.conf.task_time_limit}
    assert patient
    assert {queue_of(name) for name in patient} == {"long"}


def test_a_message_lands_in_one_queue_alone() -> None:
    queues = app.amqp.queues
    assert len({(queue.exchange.name, queue.routing_key) for queue in queues.values()}) == len(queues) == 2


def test_a_worker_that_is_told_of_no_queue_takes_from_both() -> None:
    assert set(app.amqp.queues.consume_from) == {"celery", "long"}


def test_the_workers_of_make_run_take_from_one_queue_each(tmp_path: Path) -> None:
    environment = read(tmp_path)
    lines = [child.command for child in _family(Run(settings=environment)) if "worker" in child.command]
    assert sorted(line[line.index("--queues") + 1] for line in lines) == ["celery", "long"]
    assert len({line[line.index("--hostname") + 1] for line in lines}) == 2


def test_a_beat_whose_clock_was_a_day_ahead_wakes_again_once_it_is_right(tmp_path: Path) -> None:
    def beat() -> Timetable:
        return Timetable(app=app, schedule_filename=str(tmp_path / "beat"))

    wrong, ahead = beat(), app.now() + timedelta(days=1)
    for entry in wrong.schedule.values():
        entry.last_run_at = ahead
    wrong.close()
    right = beat()
    assert right.schedule.keys() >= app.conf.beat_schedule.keys()
    assert all(entry.last_run_at <= app.now() for entry in right.schedule.values())
    right.close()


def test_a_beat_remembers_what_it_has_sent(tmp_path: Path) -> None:
    before, sent = Timetable(app=app, schedule_filename=str(tmp_path / "beat")), app.now() - timedelta(seconds=7)
    before.schedule["sweep"].last_run_at = sent
    before.close()
    after = Timetable(app=app, schedule_filename=str(tmp_path / "beat"))
    assert after.schedule["sweep"].last_run_at == sent
    after.close()


def test_beat_goes_by_that_timetable() -> None:
    assert app.conf.beat_scheduler == "chainpay.timetable:Timetable"
