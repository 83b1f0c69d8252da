"""How many requests came, how they were answered and how long that took: counted by each web process for itself.

The processes of one web server share a directory, where each keeps its figures in a file of its own that outlives it;
whichever of them is asked for `/metrics` adds them all up. Nothing is shared, waited for or sent while a request is
answered.
"""

import logging
import os
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.multiprocess import MultiProcessCollector

from chainpay.operation import database_names
from chainpay.operation.logs import REQUESTS
from settlements.api import request_ids

_log = logging.getLogger(REQUESTS)

UNROUTED: Final = "(none)"
# A name for its statements would be one statement more for each event.
_HOT: Final = "/webhooks/shipment_event"
_PROBES: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class RequestsSeen:
    """Counts and logs every answer by method, route and status, with the time until it begins.

    Routes are patterns, so that no id gets into a figure and strangers can not make new ones.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        make_directory(settings.CHAINPAY_OPERATION.metrics_dir)
        self._answers, self._seconds = _metrics()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        database_names.name_what_follows(request.path_info != _HOT)
        response = self.get_response(request)
        method = request.method if request.method in _METHODS else "other"
        match = request.resolver_match
        route = UNROUTED if match is None else f"/{match.route}"
        self._answers.labels(method, route, response.status_code).inc()
        seconds = time.perf_counter() - began
        self._seconds.labels(method, route).observe(seconds)
        event_id = request_ids.event()
        _log.log(
            logging.DEBUG if route in _PROBES else logging.INFO,
            "%s %s answered %s",
            method,
            route,
            response.status_code,
            extra={
                "method": method,
                "route": route,
                "status": response.status_code,
                "milliseconds": round(seconds * 1000, 1),
                **({} if event_id is None else {"event_id": event_id}),
            },
        )
        return response


def collector() -> MultiProcessCollector:
    """What all processes of this web server have counted since it was started."""
    directory = settings.CHAINPAY_OPERATION.metrics_dir
    return MultiProcessCollector(CollectorRegistry(), path=str(directory))  # type: ignore[no-untyped-call]


def make_directory(directory: Path) -> None:
    """Makes it, ours alone. Raises ImproperlyConfigured."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        own = directory.lstat().st_uid == os.getuid() and not directory.is_symlink() and os.access(directory, os.W_OK)
    except OSError as error:
        raise ImproperlyConfigured(
            f"CHAINPAY_METRICS_DIR: {directory} can not be made: {type(error).__name__}."
        ) from error
    if not own:
        raise ImproperlyConfigured(f"CHAINPAY_METRICS_DIR: {directory} must belong to the web server's user.")


@cache
def _metrics() -> tuple[Counter, Histogram]:
    registry = CollectorRegistry()
    return (
        Counter("chainpay_http_requests", "Answers.", ["method", "route", "status"], registry=registry),
        Histogram(
            "chainpay_http_request_seconds",
            "Time until an answer begins.",
            ["method", "route"],
            buckets=_SECONDS,
            registry=registry,
        ),
    )
