"""Messages as a carrier's own program signs and posts them, without anything of ours."""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from django.apps import apps
from django.test import Client

PATH = "/webhooks/shipment_event"
EVENT = orjson.dumps({"shipment_id": "SHIP-1", "event_type": "POD_CONFIRMED", "occurred_at": "2025-11-07T15:30:00Z"})


@dataclass(frozen=True, kw_only=True)
class Message:
    """One request: whatever a test wants its headers and its body to be."""

    source: str
    id: str
    timestamp: str
    signature: str = ""
    body: bytes = EVENT
    without: frozenset[str] = field(default=frozenset())

    def signed(self, secret: str) -> "Message":
        """With the one signature that fits what it says by now, be that allowed or not."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        content = f"{self.id}.{self.timestamp}.".encode() + self.body
        digest = hmac.new(key, content, hashlib.sha256).digest()
        return replace(self, signature=f"v1,{base64.b64encode(digest).decode()}")

    def headers(self) -> dict[str, str]:
        found = {
            "X-Event-Source": self.source,
            "webhook-id": self.id,
            "webhook-timestamp": self.timestamp,
            "webhook-signature": self.signature,
        }
        return {name: value for name, value in found.items() if name not in self.without}

    def post(self) -> Any:
        client = Client(SERVER_NAME="localhost", raise_request_exception=False)
        return client.post(PATH, self.body, content_type="application/json", headers=self.headers())


def everything() -> dict[str, list[dict[str, Any]]]:
    """Every row of every table."""
    return {
        model._meta.db_table: list(model._base_manager.order_by("pk").values())
        for model in apps.get_models(include_auto_created=True)
    }
