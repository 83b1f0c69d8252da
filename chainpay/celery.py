"""Celery: the clock and the hands. The database is the queue, so losing a message delays money and loses none."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chainpay.settings")

app = Celery("chainpay")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
