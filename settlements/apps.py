from typing import Any

from django.apps import AppConfig
from django.apps import apps as live_apps
from django.conf import settings
from django.db.models.signals import post_migrate
from django.utils import timezone


class SettlementsConfig(AppConfig):
    name = "settlements"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from settlements.exports import audit_trail, journal, rail_attempts, settlement_lines  # noqa: F401
        from settlements.proof import keys  # noqa: F401

        post_migrate.connect(_keep_limits, sender=self)


def _keep_limits(*, apps: Any = live_apps, **others: Any) -> None:
    """`migrate` brings the four-eyes limits of the environment into the database, as it brings permissions."""
    from settlements import four_eyes

    if "foureyeslimit" in apps.all_models["settlements"]:
        four_eyes.keep(settings.CHAINPAY_FOUR_EYES_ABOVE, now=timezone.now())
