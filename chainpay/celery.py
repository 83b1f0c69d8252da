"""Celery: the clock and the hands. The database is the queue, so losing a message delays money and loses none."""

import os

from celery import Celery
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chainpay.settings")

app = Celery("chainpay")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = {
    "sweep": {
        "task": "settlements.sweep",
        "schedule": settings.CHAINPAY_SWEEP_SECONDS,
        # A sweep that could not start before the next one is due is not worth starting.
        "options": {"expires": max(settings.CHAINPAY_SWEEP_SECONDS, 60)},
    }
}
