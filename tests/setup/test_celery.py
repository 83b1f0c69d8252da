"""The timetable wakes the sweep, and nothing it sends can pile up."""

from datetime import timedelta

from django.conf import settings

from chainpay.celery import app


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
