"""The document tells of every path and method there is, and of no other; it is valid, public and cacheable."""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from django.test import Client

from chainpay.operation import openapi as of_operation
from compliance import openapi as of_compliance
from settlements.api.endpoint import Endpoint
from settlements.api.openapi.document import OPERATIONS, VERSION
from settlements.api.openapi.operation import Operation
from settlements.permissions import Scope
from tests.openapi.routes import endpoints

ROUTES = dict(endpoints())
ALL = (*OPERATIONS, *of_compliance.OPERATIONS, *of_operation.OPERATIONS)
DESCRIBED = {(each.method, each.path): each for each in ALL}
METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            yield method.upper(), path, told


def test_it_is_valid_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert document["info"]["version"] == VERSION
    schemathesis.openapi.from_dict(document).validate()


def test_every_path_and_method_is_there_and_no_other(document: dict[str, Any]) -> None:
    assert len(ROUTES) > 20
    there = {(method, path) for path, endpoint in ROUTES.items() for method in endpoint.scopes}
    assert {(method, path) for method, path, _ in operations(document)} == there
    assert set(DESCRIBED) == there


@pytest.mark.parametrize("described", DESCRIBED.values(), ids=lambda each: f"{each.method} {each.path}")
def test_each_says_of_itself_what_its_endpoint_does(described: Operation) -> None:
    endpoint: type[Endpoint] = ROUTES[described.path]
    assert described.scope is endpoint.scopes[described.method]
    assert described.signed == endpoint.signed
    if described.method == "POST" and described.path == "/payment_intents":
        assert described.query_parameters == frozenset()  # they are those of the list; POST refuses them itself
    else:
        assert described.query_parameters == endpoint.query_parameters
    if described.body is not None:
        assert described.body.required == (not endpoint.body_optional)


@pytest.mark.parametrize("described", DESCRIBED.values(), ids=lambda each: f"{each.method} {each.path}")
def test_each_names_its_scope_and_how_to_show_it(described: Operation, document: dict[str, Any]) -> None:
    told = document["paths"][described.path][described.method.lower()]
    if described.scope is Scope.PUBLIC:
        assert told["security"] == []
        assert {"401", "429"}.isdisjoint(told["responses"])
        return
    held = [] if described.scope is Scope.ANYONE else [described.scope]
    assert told["security"]
    assert all(words == held for each in told["security"] for words in each.values())
    assert any("apiKey" in each for each in told["security"]) == ROUTES[described.path].keyed
    assert any("webhookSignature" in each for each in told["security"]) == described.signed
    assert {"400", "401", "403", "429", "503"} <= set(told["responses"])
    if described.body is not None:
        assert {"411", "413", "415"} <= set(told["responses"])


def test_names_are_given_once_and_every_operation_is_told_of_in_words(document: dict[str, Any]) -> None:
    ids = [told["operationId"] for _, _, told in operations(document)]
    assert len(ids) == len(set(ids))
    tags = {tag["name"] for tag in document["tags"]}
    for _, path, told in operations(document):
        assert told["summary"], path
        assert told["description"], path
        assert set(told["tags"]) <= tags, path


def test_every_example_fits_its_schema(document: dict[str, Any]) -> None:
    checked = 0
    messages = [("POST", name, item["post"]) for name, item in document["webhooks"].items()]
    for method, path, told in [*operations(document), *messages]:
        contents = [*told.get("requestBody", {}).get("content", {}).values()]
        for answer in told["responses"].values():
            contents += answer.get("content", {}).values()
        for content in contents:
            validator = validator_of(content["schema"], document)
            for name, example in content.get("examples", {}).items():
                assert validator.is_valid(example["value"]), (method, path, name, list_of(validator, example["value"]))
                checked += 1
    assert checked > 300


def test_every_body_and_every_answer_has_an_example(document: dict[str, Any]) -> None:
    for _, path, told in operations(document):
        if "requestBody" in told:
            assert told["requestBody"]["content"]["application/json"]["examples"], path
        for status, answer in told["responses"].items():
            for media_type, content in answer.get("content", {}).items():
                if media_type == "application/json" and path != "/openapi.json":
                    assert content["examples"], (path, status)


def test_an_error_has_nothing_beside_the_one_shape(document: dict[str, Any]) -> None:
    error = validator_of({"$ref": "#/components/schemas/Error"}, document)
    fault = {"code": "not_found", "detail": "There is nothing here.", "field": None, "request_id": "x"}
    assert error.is_valid(fault)
    assert error.is_valid({**fault, "errors": [fault, fault]})
    assert not error.is_valid({**fault, "hint": "x"})
    assert not error.is_valid({**fault, "errors": [fault]})
    assert not error.is_valid({name: value for name, value in fault.items() if name != "field"})


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/docs/errors"])
def test_it_is_public_and_can_be_kept(path: str, settings: Any) -> None:
    settings.CHAINPAY_DEMO = False
    client = Client(SERVER_NAME="localhost")
    first = client.get(path)
    assert (first.status_code, first["Cache-Control"]) == (200, "public, max-age=300")
    again = client.get(path, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    assert client.get(path, headers={"If-None-Match": '"another"'}).content == first.content
    assert client.head(path).status_code == 200
    assert client.post(path).status_code == 405


def validator_of(schema: dict[str, Any], document: dict[str, Any]) -> Any:
    return jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]}, validate_formats=True)


def list_of(validator: Any, value: object) -> list[str]:
    return [error.message for error in validator.iter_errors(value)]
