"""What the commands about event sources and API keys have in common: arguments into values, refusals into sentences."""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from django import forms
from django.core.management.base import CommandError, CommandParser

from settlements.integration_forms import NameForm
from settlements.models import EventSource
from settlements.refusals import Refusal

# Options that are not called like their field.
_OPTIONS: Final = {"carrier_id": "carrier", "allowed_event_types": "allow", "scopes": "scope"}


def actor() -> str:
    """Who runs the command, as logs and rows name them: their login on this host."""
    number = os.getuid()
    try:
        return f"command:{pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"command:{number}"


def values(form: forms.Form) -> dict[str, Any]:
    """What the form makes of the arguments. Raises CommandError with a sentence for each that is wrong."""
    if not form.is_valid():
        raise CommandError(
            " ".join(
                f"{_option(name)}{' '.join(str(error) for error in errors)}" for name, errors in form.errors.items()
            )
        )
    return form.cleaned_data


def name_in(given: dict[str, Any]) -> str:
    """The name of a source or key, spelled as one can be. Raises CommandError."""
    return str(values(NameForm(given))["name"])


def source_named(given: dict[str, Any]) -> EventSource:
    """The event source that the arguments name. Raises CommandError."""
    name = name_in(given)
    found = EventSource.objects.filter(name=name).first()
    if found is None:
        raise CommandError(f"There is no event source {name}.")
    return found


def allow_requests_per_second(parser: CommandParser) -> None:
    """The option that sources and keys share."""
    parser.add_argument("--requests-per-second", metavar="N", help="its limit (default: CHAINPAY_REQUESTS_PER_SECOND)")


@contextmanager
def told_in_a_sentence() -> Iterator[None]:
    """The domain's refusals as CommandError."""
    try:
        yield
    except Refusal as refusal:
        raise CommandError(refusal.detail) from refusal


def _option(field: str) -> str:
    if field in {"name", "__all__"}:
        return ""
    return f"--{_OPTIONS.get(field, field.replace('_', '-'))}: "
