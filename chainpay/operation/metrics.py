"""GET /metrics: everything Prometheus is told, in its text format; not for the world."""

import ipaddress
import secrets
import threading
import time
from collections.abc import Iterable
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from chainpay.operation import figures, requests_seen
from settlements.api.errors import Fault, Refused, error_answer, unauthenticated

# However often, and by however many, it is asked: the database is read once in this time by each process.
KEPT_SECONDS: Final = 5.0
_BEARER: Final = "bearer "
_TOLD_BY_PROXIES: Final = (
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_REAL_IP",
    "HTTP_FORWARDED",
    "HTTP_VIA",
)


class _Database:
    """The figures of the database, read anew when those at hand are too old; who comes meanwhile waits for them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at_hand: list[Metric] = []
        self._read_at: float | None = None

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            if self._read_at is None or time.monotonic() - self._read_at >= KEPT_SECONDS:
                self._at_hand = list(figures.read())
                self._read_at = time.monotonic()
            return self._at_hand

    def forget(self) -> None:
        """Has the next scrape read anew."""
        with self._lock:
            self._read_at = None


database: Final = _Database()


@method_decorator(never_cache, name="dispatch")
class Metrics(View):
    """For `CHAINPAY_METRICS_TOKEN`, or without one for this host alone; nothing in it names a recipient or a sum."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest) -> HttpResponse:
        try:
            _admit(request)
        except Refused as refused:
            return error_answer(*refused.faults, status=refused.status_code, headers=refused.headers)
        registry = CollectorRegistry()
        registry.register(database)
        registry.register(requests_seen.collector())
        return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    def http_method_not_allowed(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        fault = Fault(code="method_not_allowed", detail="This address answers to GET, HEAD only.")
        return error_answer(fault, status=405, headers={"Allow": "GET, HEAD"})


def _admit(request: HttpRequest) -> None:
    """Raises Refused: 401 without the token, 403 from elsewhere while none is set."""
    token = settings.CHAINPAY_OPERATION.metrics_token
    if not token:
        if not _from_this_host(request):
            raise Refused(
                "metrics_not_open", "Without CHAINPAY_METRICS_TOKEN metrics are told to this host alone.", 403
            )
        return
    header = request.META.get("HTTP_AUTHORIZATION")
    if header is None:
        raise unauthenticated("not_authenticated", "Metrics need CHAINPAY_METRICS_TOKEN: Authorization: Bearer ...")
    shown = header[len(_BEARER) :] if header[: len(_BEARER)].lower() == _BEARER else ""
    if not secrets.compare_digest(shown.encode(), token.encode()):
        raise unauthenticated("invalid_credentials", "This is not the token that metrics are told to.")


def _from_this_host(request: HttpRequest) -> bool:
    """Whether nobody stands between: who comes through a proxy on this host comes from anywhere."""
    if settings.CHAINPAY_TRUSTED_PROXIES or any(name in request.META for name in _TOLD_BY_PROXIES):
        return False
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
