"""What the tests of the pages of event sources and API keys share."""

import re
from typing import Any

from django.contrib.admin.models import LogEntry
from django.utils import timezone

from settlements import api_keys, sources
from settlements.models import ApiKey, EventSource, SourceSecret
from settlements.permissions import Scope

SOURCES, SECRETS, KEYS = (f"/admin/settlements/{model}/" for model in ("eventsource", "sourcesecret", "apikey"))
NEW_CARRIER, NEW_PLATFORM, NEW_KEY = f"{SOURCES}new/carrier/", f"{SOURCES}new/platform/", f"{KEYS}new/"
SHOWN = re.compile(r'cp-secret"[^>]*>((?:whsec|cpk)_[^<]+)<')
POD = "POD_CONFIRMED"
# Sources, secrets and keys of the domain, and what the admin itself keeps.
WATCHED = (EventSource, SourceSecret, ApiKey, LogEntry)


def a_source(name: str = "haulier", **fields: Any) -> EventSource:
    row, _ = sources.create(name, **{"carrier_id": "C-7", **fields}, actor="test", now=timezone.now())
    return row


def a_key(name: str = "portal", **fields: Any) -> ApiKey:
    owner = {} if "user" in fields else {"service": "portal"}
    given = {"scopes": [Scope.AUDIT_READ], **owner, **fields}
    return api_keys.create(name, **given, actor="test", now=timezone.now())[0]


def known() -> Any:
    """The source of this name as the door knows it."""
    return sources.known("haulier", fresh=True)


def everything() -> list[Any]:
    return [list(model._default_manager.order_by("pk").values()) for model in WATCHED]


def secret_in(answer: Any) -> str:
    """The one secret of a page."""
    assert answer.status_code == 200
    found = SHOWN.findall(answer.content.decode().replace("&#x27;", "'"))
    assert len(found) == 1
    return str(found[0])


def errors(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 400
    return {name: [str(word) for word in words] for name, words in answer.context["form"].errors.items()}


def rotation(row: EventSource, **given: Any) -> dict[str, Any]:
    row.refresh_from_db()
    return {"overlap_hours": "24", "reason": "It was due.", "revision": row.revision, **given}


def change(row: EventSource, **given: Any) -> dict[str, Any]:
    row.refresh_from_db()
    of = {"allowed_event_types": [POD], "requests_per_second": "7", "reason": "Less is enough.", "active": "on"}
    return {**of, "revision": row.revision, **given}


def a_new_key(**given: Any) -> dict[str, Any]:
    return {
        "name": "k",
        "owner": "service",
        "service": "tms",
        "scopes": ["audit:read"],
        "expires_in_days": "365",
        **given,
    }


def pages(source: EventSource, key: ApiKey) -> dict[str, dict[str, Any]]:
    """Every page that changes something, with a form that would."""
    of = f"{SOURCES}{source.pk}/"
    return {
        NEW_CARRIER: {"name": "new-one", "carrier_id": "C-9", "allowed_event_types": [POD]},
        NEW_PLATFORM: {"name": "new-two"},
        f"{of}edit/": change(source),
        f"{of}rotate/": rotation(source),
        f"{of}revoke/{source.secrets.earliest('pk').pk}/": {"reason": "It leaked."},
        NEW_KEY: a_new_key(),
        f"{KEYS}{key.pk}/revoke/": {"reason": "It leaked."},
    }
