"""Errors reported to Sentry, if `SENTRY_DSN` is set: what was logged as an error, with its traceback and nothing more.

No body, header, cookie, query, user or local variable is taken up, and what is left is redacted as the log is: a report
leaves the house.
"""

import logging
from typing import Any, Final, cast

import sentry_sdk
from django.conf import settings
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.integrations.excepthook import ExcepthookIntegration
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.types import Event, Hint

from settlements import redaction
from settlements.api import request_ids

# What a report has beyond these is dropped.
_KEPT: Final = frozenset(
    [
        *("event_id", "timestamp", "platform", "level", "logger", "logentry", "message", "exception"),
        *("environment", "release", "sdk", "server_name"),
    ]
)
_LONGEST: Final = 4_000


def begin() -> None:
    """Reports from now on; does nothing without a DSN."""
    dsn = settings.CHAINPAY_OPERATION.sentry_dsn
    if not dsn:
        return
    sentry_sdk.init(
        dsn=dsn,
        environment=settings.CHAINPAY_OPERATION.sentry_environment,
        # Django and Celery log what breaks, so their own integrations, which look at requests, are not needed.
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[
            LoggingIntegration(level=None, event_level=logging.ERROR),
            ExcepthookIntegration(),
            AtexitIntegration(callback=lambda pending, timeout: None),
        ],
        before_send=redacted,
        before_breadcrumb=lambda crumb, hint: None,
        max_breadcrumbs=0,
        include_local_variables=False,
        include_source_context=False,
        send_default_pii=False,
        send_client_reports=False,
        auto_session_tracking=False,
        traces_sample_rate=None,
    )


def redacted(event: Event, hint: Hint) -> Event:
    """What of a report may leave: kinds of error, places in the code, and words without secrets and account numbers."""
    report = cast(dict[str, Any], {name: value for name, value in event.items() if name in _KEPT})
    report["tags"] = {"request_id": _shown(request_ids.current())}
    for each in (report.get("exception") or {}).get("values") or []:
        each["value"] = _shown(each.get("value"))
        for frame in (each.get("stacktrace") or {}).get("frames") or []:
            frame.pop("vars", None)
    entry = report.pop("logentry", None)
    if entry:
        # The pattern without what was filled in, so that reports of one kind are put together.
        report["logentry"] = {"message": _shown(entry.get("message")), "formatted": _shown(_filled(entry))}
    if "message" in report:
        report["message"] = _shown(report["message"])
    return cast(Event, report)


def _filled(entry: dict[str, Any]) -> str:
    words, values = str(entry.get("message") or ""), entry.get("params") or []
    try:
        return words % tuple(values) if values else words
    except (TypeError, ValueError):
        return words


def _shown(words: object) -> str:
    return redaction.text(redaction.primary(str(words or "")))[:_LONGEST]
