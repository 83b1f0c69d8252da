"""Whatever is sent, the service answers as its document says: schemathesis makes the requests up."""

import os
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.utils import timezone
from hypothesis import HealthCheck
from hypothesis import settings as examples
from schemathesis.checks import not_a_server_error
from schemathesis.config import GenerationConfig, SchemathesisConfig
from schemathesis.config._checks import NegativeDataRejectionConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from settlements import api_keys
from settlements.models import MilestoneSettlement
from settlements.models.event_source import MOST_PER_SECOND
from settlements.permissions import GRANTABLE, PERSONAL
from tests.flows.conftest import Api

# For each caller and operation, beside those that every boundary of the schemas gives; more by hand:
# EXAMPLES=1000 pytest tests/openapi/test_fuzz.py
EXAMPLES: Final = int(os.environ.get("EXAMPLES", "6"))
CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]
CALLERS: Final = ("demo client", "officer", "key")


def configuration() -> SchemathesisConfig:
    found = SchemathesisConfig()
    found.projects.default.generation = GenerationConfig(
        max_examples=EXAMPLES, deterministic=True, database="none", with_security_parameters=False
    )
    found.projects.default.checks.negative_data_rejection = NegativeDataRejectionConfig(expected_statuses=["4xx"])
    return found


SCHEMA = schemathesis.openapi.from_wsgi("/openapi.json", get_wsgi_application(), config=configuration())


@pytest.fixture
def world(api: Api, staff: None) -> dict[str, list[Any]]:
    """What paths may lead to: an intent that was released, one that waits for a person, one that nothing came for."""
    api.put("/recipients/acme-haulage", {"name": "Acme"})
    low, released = api.token(risk="0.15", recipient_id="acme-haulage")
    high, waiting = api.token(risk="0.81")
    intents = [api.intent(low), api.intent(high, "12.34", "EUR", schedule={"type": "full_on_pod"})]
    api.event(released)
    api.event(waiting)
    intents.append(api.intent(api.token(risk=None)[0]))
    milestones = list(MilestoneSettlement.objects.values_list("pk", flat=True))
    return {
        "/payment_intents/": intents,
        "/audit/payment_intents/": intents,
        "/freight_tokens/": [low, high],
        "/compliance/": milestones,
        "/audit/milestones/": milestones,
        "/audit/shipments/": [released, waiting],
        "/recipients/": ["acme-haulage"],
    }


@pytest.fixture
def _connection_outlives_requests(world: dict[str, list[Any]]) -> Iterator[None]:
    """As under Django's test client: the server would close the connection of the test's transaction.

    That client puts the handlers back, so this comes when it is done.
    """
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    yield
    request_started.connect(close_old_connections)
    request_finished.connect(close_old_connections)


@pytest.fixture
def headers(caller: str, world: dict[str, list[Any]], settings: Any) -> dict[str, str]:
    """What a caller shows; the key does so outside of the demo."""
    if caller != "key":
        return {"X-Demo-User": "officer1"} if caller == "officer" else {}
    settings.CHAINPAY_DEMO = False
    _, shown = api_keys.create(
        "dispatch",
        scopes=GRANTABLE - PERSONAL,
        service="dispatch",
        requests_per_second=MOST_PER_SECOND,
        actor="test",
        now=timezone.now(),
    )
    return {"Authorization": f"Bearer {shown}"}


@pytest.mark.usefixtures("_connection_outlives_requests")
@pytest.mark.parametrize("caller", CALLERS)
@SCHEMA.parametrize()
@examples(suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_described(case: Any, headers: dict[str, str], world: dict[str, list[Any]]) -> None:
    lead_somewhere(case, world)
    answer = case.call(headers=dict(headers))
    checks = [*CHECKS, ignored_auth] if "Authorization" in headers else [*CHECKS]
    if case.operation.path == "/readyz":
        # In a test no beat is alive, and 503 says just that.
        assert answer.status_code < 500 or answer.status_code == 503
        checks.remove(not_a_server_error)
    case.validate_response(answer, checks=checks, headers=dict(headers))


def lead_somewhere(case: Any, world: Mapping[str, list[Any]]) -> None:
    """Two of three well-formed paths lead to what is there; made-up ones would end in 404 all."""
    known = next((found for path, found in world.items() if case.operation.path.startswith(path)), None)
    for name, value in dict(case.path_parameters or {}).items():
        number = value if isinstance(value, int) else len(str(value))
        if known and type(value) is type(known[0]) and number % 3:
            case.path_parameters[name] = known[number % len(known)]
