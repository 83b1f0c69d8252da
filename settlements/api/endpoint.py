"""What every endpoint does before its own work: method, caller, permission, query, body, in that order."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, cast

from django.http import Http404, HttpResponse
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from settlements.api.authentication import Caller, CallerAuthentication
from settlements.api.errors import Refused, exception_handler
from settlements.api.parsing import StrictJSONParser, has_length, parse_body, read_body
from settlements.api.query_parameters import Query
from settlements.api.rendering import JSON, OrjsonRenderer
from settlements.permissions import PERMISSION_OF_SCOPE, Scope

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_RENDERER: Final = OrjsonRenderer()


class Endpoint(APIView):
    """Base of the API's views; a handler finds `caller`, `query`, and for writes `raw_body` and `body` ready.

    `scopes` names for each method what its caller needs, `query_parameters` what may follow the question mark,
    and `body_optional` whether an empty body means {}.
    """

    scopes: ClassVar[Mapping[str, Scope]] = {}
    query_parameters: ClassVar[frozenset[str]] = frozenset()
    body_optional: ClassVar[bool] = False

    authentication_classes = (CallerAuthentication,)
    parser_classes = (StrictJSONParser,)
    renderer_classes = (OrjsonRenderer,)
    permission_classes = ()
    throttle_classes = ()
    http_method_names = ["get", "head", "post", "put", "patch", "delete"]

    caller: Caller
    query: Query
    raw_body: bytes
    body: dict[str, Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        handled = {method for method in METHODS if hasattr(cls, method.lower())}
        if handled != set(cls.scopes):
            raise TypeError(f"{cls.__name__} handles {sorted(handled)} but has scopes for {sorted(cls.scopes)}")

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Everything that may refuse the request; 401 and 403 come before anything is read."""
        http = request._request
        request.accepted_renderer, request.accepted_media_type = _RENDERER, JSON
        method = "GET" if http.method == "HEAD" else http.method or ""
        scope = self.scopes.get(method)
        if scope is None:
            raise _method_not_allowed(self.scopes)
        if scope is not Scope.PUBLIC:
            self.caller = cast(Caller, request.auth)
            self.caller.require(PERMISSION_OF_SCOPE[scope])
        if "\x00" in http.path_info:
            raise Http404
        self.query = Query(http.GET, allowed=self.query_parameters)
        if method in _WITH_BODY:
            self._read(request)

    def _read(self, request: Request) -> None:
        http = request._request
        self.raw_body = read_body(http)
        if not self.raw_body and not self.body_optional and not has_length(http):
            raise Refused("length_required", "The request says nothing of its body: send a Content-Length.", 411)
        self.body = parse_body(self.raw_body, optional=self.body_optional)

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
