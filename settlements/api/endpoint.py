"""What every endpoint does before its own work: method, caller, permission, query, body, in that order."""

from collections.abc import Callable, Mapping
from math import ceil
from typing import Any, ClassVar, Final

from django.http import Http404, HttpResponse
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from settlements.api.authentication import identify
from settlements.api.callers import Caller
from settlements.api.errors import Refused, exception_handler
from settlements.api.parsing import StrictJSONParser, has_length, parse_body, read_body
from settlements.api.query_parameters import Query
from settlements.api.rendering import JSON, OrjsonRenderer
from settlements.permissions import Scope
from settlements.rates import Spent, spend

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_RENDERER: Final = OrjsonRenderer()


class Endpoint(APIView):
    """Base of the API's views; a handler finds `caller`, `query`, and for writes `body` ready.

    `scopes` names for each method what its caller needs, `query_parameters` what may follow the question mark,
    `body_optional` whether an empty body means {}, `keyed` and `signed` whether a key and
    whether the signature of an event source counts, and `looks_afresh` whether that source is read anew: needed where
    nothing that is stored checks what is remembered of it.
    """

    scopes: ClassVar[Mapping[str, Scope]] = {}
    query_parameters: ClassVar[frozenset[str]] = frozenset()
    body_optional: ClassVar[bool] = False
    keyed: ClassVar[bool] = True
    signed: ClassVar[bool] = False
    looks_afresh: ClassVar[bool] = False

    authentication_classes = ()
    parser_classes = (StrictJSONParser,)
    renderer_classes = (OrjsonRenderer,)
    permission_classes = ()
    throttle_classes = ()
    http_method_names = ["get", "head", "post", "put", "patch", "delete"]

    caller: Caller
    spent: Spent | None = None
    query: Query
    _raw_body: bytes | None = None
    body: dict[str, Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        handled = {method for method in METHODS if hasattr(cls, method.lower())}
        if handled != set(cls.scopes):
            raise TypeError(f"{cls.__name__} handles {sorted(handled)} but has scopes for {sorted(cls.scopes)}")

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Everything that may refuse the request; 401, 429 and 403 come before anything in it is understood."""
        http = request._request
        request.accepted_renderer, request.accepted_media_type = _RENDERER, JSON
        method = "GET" if http.method == "HEAD" else http.method or ""
        scope = self.scopes.get(method)
        if scope is None:
            raise _method_not_allowed(self.scopes)
        if scope is not Scope.PUBLIC:
            self.caller = self.identified(fresh=self.looks_afresh)
            self._spend()
            self.caller.require(scope)
        if "\x00" in http.path_info:
            raise Http404
        self.query = Query(http.GET, allowed=self.query_parameters)
        if method in _WITH_BODY:
            self.body = parse_body(self.raw_body(), optional=self.body_optional)

    def identified(self, *, fresh: bool = False) -> Caller:
        """The caller; see `authentication.identify`."""
        body = self.raw_body if self.signed else None
        return identify(self.request._request, keyed=self.keyed, body=body, fresh=fresh)

    def raw_body(self) -> bytes:
        """The body as it arrived. Raises Refused as `read_body` does, and 411 where one is due but not announced."""
        if self._raw_body is None:
            http = self.request._request
            self._raw_body = read_body(http)
            if http.method in _WITH_BODY and not (self._raw_body or self.body_optional or has_length(http)):
                raise Refused("length_required", "The request says nothing of its body: send a Content-Length.", 411)
        return self._raw_body

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Every counted answer tells the limit and what is left of it."""
        if self.spent is not None:
            for name, value in rate_headers(self.spent).items():
                response[name] = value
        return super().finalize_response(request, response, *args, **kwargs)

    def _spend(self) -> None:
        self.spent = spend(self.caller.allowance)
        if not self.spent.passed:
            limit = self.spent.allowance.per_second
            wait = {"Retry-After": str(ceil(self.spent.seconds))}
            raise Refused("too_many_requests", f"More than {limit} requests in a second; slow down.", 429, headers=wait)

    @property
    def default_response_headers(self) -> dict[str, str]:
        return {}

    def get_renderers(self) -> list[BaseRenderer]:
        return [_RENDERER]

    def get_exception_handler(self) -> Callable[..., HttpResponse | None]:
        return exception_handler


def _method_not_allowed(scopes: Mapping[str, Scope]) -> Refused:
    allowed = ", ".join([*scopes, *(["HEAD"] if "GET" in scopes else [])])
    return Refused("method_not_allowed", f"This address answers to {allowed} only.", 405, headers={"Allow": allowed})


def rate_headers(spent: Spent) -> dict[str, str]:
    """RateLimit-Limit, -Remaining and -Reset as the IETF's draft (draft-ietf-httpapi-ratelimit-headers-07) has them."""
    return {
        "RateLimit-Limit": str(spent.allowance.per_second),
        "RateLimit-Remaining": str(spent.remaining),
        "RateLimit-Reset": str(ceil(spent.seconds)),
    }
