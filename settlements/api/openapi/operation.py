"""What one method of one path is told of: scope, parameters, body, answers, refusals."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from settlements.api.openapi.shapes import Schema, identity, text
from settlements.permissions import Scope
from settlements.refusals import Refusal

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter in a path, query or header."""

    name: str
    place: str
    schema: Schema
    says: str
    example: object = None
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What a request sends as JSON, with examples by name."""

    schema: Schema
    examples: Mapping[str, object]
    required: bool = True
    unknown_fields: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer that is no refusal."""

    status: int
    says: str
    schema: Schema | None
    examples: Mapping[str, object] = field(default_factory=dict)
    media_type: str = JSON
    headers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path.

    `refusals` names what this operation alone refuses: refusals of the domain, and codes of the interface; what every
    caller, query, body and field can be told is added to them. `nested` names fields below those of the body, `signed`
    is as the Endpoint has it, `stripe_signed` says that only Stripe is let in, and `decides` says that a part of it is
    an officer's decision.
    """

    method: str
    path: str
    id: str
    tag: str
    summary: str
    description: str
    scope: Scope
    answers: tuple[Answer, ...]
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    refusals: tuple[type[Refusal] | str, ...] = ()
    nested: tuple[str, ...] = ()
    signed: bool = False
    stripe_signed: bool = False
    decides: bool = False

    @property
    def query_parameters(self) -> frozenset[str]:
        """The names that may follow the question mark."""
        return frozenset(parameter.name for parameter in self.parameters if parameter.place == "query")


def query(name: str, schema: Schema, says: str, example: object = None) -> Parameter:
    """An optional query parameter."""
    return Parameter(name=name, place="query", schema=schema, says=says, example=example)


def header(name: str, schema: Schema, says: str, example: object = None) -> Parameter:
    """An optional request header."""
    return Parameter(name=name, place="header", schema=schema, says=says, example=example)


def path_id(name: str, says: str, example: int) -> Parameter:
    """An id in a path."""
    return Parameter(name=name, place="path", schema=identity(), says=says, example=example, required=True)


def path_text(name: str, says: str, example: str) -> Parameter:
    """An upstream identifier in a path."""
    return Parameter(name=name, place="path", schema=text(), says=says, example=example, required=True)
