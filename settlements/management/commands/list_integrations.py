"""`manage.py list_integrations`: who may call us, and whether their secrets and keys are still good; no secrets."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from settlements import credential_states
from settlements.credential_states import moment
from settlements.models import ApiKey, EventSource, SourceSecret


class Command(BaseCommand):
    """Sources with their secrets, then keys."""

    help = "Lists event sources with their secrets, and API keys, with their states."

    def handle(self, *args: Any, **options: Any) -> None:
        """Reads only."""
        now = timezone.now()
        secrets: dict[int, list[SourceSecret]] = {}
        for secret in SourceSecret.objects.select_related("source").order_by("-pk"):
            secrets.setdefault(secret.source_id, []).append(secret)
        self.stdout.write("Event sources")
        for source in EventSource.objects.order_by("name"):
            whose = f"carrier {source.carrier_id}" if source.carrier_id else "platform"
            activity = "active" if source.active else "inactive"
            types = ", ".join(source.allowed_event_types) or "every type"
            self.stdout.write(f"  {source.name}: {whose}, {activity}, {types}")
            if source.pk not in secrets:
                self.stdout.write("    no secret")
            for secret in secrets.get(source.pk, []):
                state = credential_states.of_secret(secret, now=now).in_words
                self.stdout.write(
                    f"    secret …{secret.hint}: {state}; created {moment(secret.created_at)} by {secret.created_by}, "
                    f"last used {moment(secret.last_used_at)}"
                )
        self.stdout.write("API keys")
        for key in ApiKey.objects.select_related("user").order_by("name"):
            owner = f"user {key.user.get_username()}" if key.user else f"service {key.service}"
            carrier = f" for carrier {key.carrier_id}" if key.carrier_id else ""
            state = credential_states.of_key(key, now=now).in_words
            self.stdout.write(
                f"  {key.name} ({key.prefix}…): {owner}{carrier}, {', '.join(key.scopes)}; {state}; created by "
                f"{key.created_by}, last used {moment(key.last_used_at)}"
            )
