"""Celery: the clock and the hands. The database is the queue, so losing a message delays money and loses none."""

import os
from datetime import timedelta

from celery import Celery
from celery.schedules import crontab
from django.conf import settings

from chainpay.operation import task_runs

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chainpay.settings")

app = Celery("chainpay")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
task_runs.connect()

# Wake-ups, safe to lose or to double. A message nobody took in time is dropped: the next one does the same work.
app.conf.beat_schedule = {
    "sweep": {
        "task": "settlements.sweep",
        "schedule": timedelta(seconds=settings.CHAINPAY_SWEEP_SECONDS),
        "options": {"expires": max(settings.CHAINPAY_SWEEP_SECONDS, 60)},
    },
    "deliver": {
        "task": "settlements.deliver",
        "schedule": timedelta(seconds=settings.CHAINPAY_DELIVERY_SECONDS),
        "options": {"expires": max(settings.CHAINPAY_DELIVERY_SECONDS, 10)},
    },
    "submit": {
        "task": "settlements.submit",
        "schedule": timedelta(seconds=settings.CHAINPAY_SUBMIT_SECONDS),
        "options": {"expires": max(settings.CHAINPAY_SUBMIT_SECONDS, 10)},
    },
    "hear": {
        "task": "settlements.hear",
        "schedule": timedelta(seconds=settings.CHAINPAY_SUBMIT_SECONDS),
        "options": {"expires": max(settings.CHAINPAY_SUBMIT_SECONDS, 10)},
    },
    "reconcile": {
        "task": "settlements.reconcile",
        "schedule": timedelta(seconds=settings.CHAINPAY_RECONCILE_SECONDS),
        "options": {"expires": max(settings.CHAINPAY_RECONCILE_SECONDS, 60)},
    },
    "compare": {
        "task": "settlements.compare",
        "schedule": timedelta(seconds=settings.CHAINPAY_COMPARE_SECONDS),
        "options": {"expires": max(settings.CHAINPAY_COMPARE_SECONDS, 60)},
    },
    "export": {
        "task": "settlements.export",
        "schedule": timedelta(seconds=10),
        "options": {"expires": 10},
    },
    "checkpoint": {
        "task": "settlements.checkpoint",
        "schedule": timedelta(seconds=settings.CHAINPAY_CHECKPOINT_SECONDS),
        "options": {"expires": max(settings.CHAINPAY_CHECKPOINT_SECONDS, 60)},
    },
    # Every hour, for a night that was missed or broke off; what is done is not done again.
    "verify_books": {
        "task": "settlements.verify_books",
        "schedule": crontab(minute=20),
        "options": {"expires": 3000},
    },
    "heartbeat": {
        "task": task_runs.HEARTBEAT,
        "schedule": timedelta(seconds=task_runs.HEARTBEAT_SECONDS),
        "options": {"expires": task_runs.HEARTBEAT_SECONDS},
    },
    "tally": {
        "task": "operation.tally",
        "schedule": timedelta(seconds=15),
        "options": {"expires": 15},
    },
    "digest": {
        "task": "compliance.digest",
        "schedule": timedelta(seconds=settings.CHAINPAY_DIGEST_SECONDS),
        "options": {"expires": max(settings.CHAINPAY_DIGEST_SECONDS, 60)},
    },
}
