"""Loads the demo's data and logins."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from compliance import demo


class Command(BaseCommand):
    """`manage.py load_demo`, in demo mode only; safe to repeat."""

    help = "Load the demo data and demo logins (demo mode only; safe to repeat)."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.CHAINPAY_DEMO:
            raise CommandError("Demo data and demo logins are for demo mode only: set CHAINPAY_DEMO=1.")
        if demo.is_loaded():
            self.stdout.write("The demo data is there already.")
            return
        demo.load()
        self.stdout.write("Loaded the demo data.")
