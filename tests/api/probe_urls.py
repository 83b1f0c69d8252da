"""Routes of the tests only: small endpoints that show what the base hands to a handler, and views that fail."""

import logging
from collections.abc import Callable
from enum import StrEnum

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import include, path
from rest_framework.exceptions import NotAuthenticated, ParseError, Throttled, UnsupportedMediaType
from rest_framework.request import Request

from rails.money import Money
from settlements.api import paths
from settlements.api.endpoint import Endpoint
from settlements.api.rendering import answer
from settlements.permissions import Scope
from settlements.refusals import Kind, Refusal

logger = logging.getLogger(__name__)
calls: list[object] = []


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class TooLate(Refusal):
    code = "too_late"
    kind = Kind.CONFLICT


class Missing(Refusal):
    code = "intent_not_found"
    kind = Kind.NOT_FOUND


class Barred(Refusal):
    code = "own_intent"
    kind = Kind.FORBIDDEN


class Wrong(Refusal):
    code = "shares_not_whole"


class Probe(Endpoint):
    """Tells who called and what arrived."""

    scopes = {"GET": Scope.INTENTS_READ, "POST": Scope.INTENTS_WRITE}
    query_parameters = frozenset({"skip", "limit", "colour", "milestone_id"})

    def get(self, request: Request) -> HttpResponse:
        logger.info("probed")
        return answer(
            {
                "actor": self.caller.actor,
                "user": self.caller.user and self.caller.user.pk,
                "skip": self.query.integer("skip", default=0, lowest=0, highest=1000),
                "limit": self.query.integer("limit", default=10, lowest=1, highest=100),
                "colour": self.query.choice("colour", Colour),
                "milestone_id": self.query.positive_id("milestone_id"),
            }
        )

    def post(self, request: Request) -> HttpResponse:
        calls.append(self.body)
        return answer(
            {"actor": self.caller.actor, "fields": sorted(self.body), "bytes": len(self.raw_body())}, status=201
        )


class Settle(Endpoint):
    """A write whose body may be empty, with a decision inside."""

    scopes = {"POST": Scope.INTENTS_SETTLE}
    body_optional = True

    def post(self, request: Request) -> HttpResponse:
        if self.body.get("force_approval"):
            self.caller.require(Scope.COMPLIANCE_DECIDE)
        return answer({"actor": self.caller.actor, "body": self.body})


class Decide(Endpoint):
    """A decision of compliance."""

    scopes = {"POST": Scope.COMPLIANCE_DECIDE}

    def post(self, request: Request) -> HttpResponse:
        return answer({"actor": self.caller.actor})


class Parsed(Endpoint):
    """Reads the body the DRF way."""

    scopes = {"PUT": Scope.TOKENS_WRITE}

    def put(self, request: Request) -> HttpResponse:
        return answer({"same": request.data == self.body})


class Named(Endpoint):
    """Tells the name in its path."""

    scopes = {"GET": Scope.AUDIT_READ}

    def get(self, request: Request, name: str) -> HttpResponse:
        return answer({"name": name})


ERRORS: dict[str, Callable[[], Exception]] = {
    "bug": lambda: ZeroDivisionError("secret-detail"),
    "database": lambda: OperationalError("connection to server at secret-host failed"),
    "conflict": lambda: TooLate("It was decided already.", field="version"),
    "missing": lambda: Missing("Payment intent 7 not found."),
    "barred": lambda: Barred("You created this intent."),
    "wrong": lambda: Wrong("The shares must sum to 1.", field="schedule"),
    "http404": lambda: Http404("inner words"),
    "denied": lambda: PermissionDenied("inner words"),
    "suspicious": lambda: SuspiciousOperation("inner words"),
    "unauthenticated": NotAuthenticated,
    "parse": lambda: ParseError("inner words"),
    "media": lambda: UnsupportedMediaType("text/plain"),
    "throttled": lambda: Throttled(wait=3),
}


class Fail(Endpoint):
    """Raises what its path names."""

    scopes = {"GET": Scope.INTENTS_READ}

    def get(self, request: Request, name: str) -> HttpResponse:
        if name == "money":
            Money.parse(0, "USD")
        raise ERRORS[name]()


def plain_failure(request: HttpRequest, name: str) -> HttpResponse:
    raise ERRORS[name]()


paths.register()

urlpatterns = [
    path("probe", Probe.as_view()),
    path("probe/<id:number>", Fail.as_view()),
    path("named/<visible:name>", Named.as_view()),
    path("settle", Settle.as_view()),
    path("decide", Decide.as_view()),
    path("parsed", Parsed.as_view()),
    path("fail/<str:name>", Fail.as_view()),
    path("plain/<str:name>", plain_failure),
    path("admin/fail/<str:name>", plain_failure),
    path("", include("chainpay.urls")),
]

handler400 = "settlements.api.error_pages.handler400"
handler403 = "settlements.api.error_pages.handler403"
handler404 = "settlements.api.error_pages.handler404"
handler500 = "settlements.api.error_pages.handler500"
