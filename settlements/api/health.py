"""`/healthz`: whether this process is alive; it asks nobody."""

from django.http import HttpResponse
from rest_framework.request import Request

from settlements.api.endpoint import Endpoint
from settlements.api.rendering import answer
from settlements.permissions import Scope


class Healthz(Endpoint):
    """Alive: the process answers."""

    scopes = {"GET": Scope.PUBLIC}

    def get(self, request: Request) -> HttpResponse:
        return answer({"status": "ok"})
