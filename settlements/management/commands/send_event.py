"""`manage.py send_event`: signs a message as an event source does and posts it, for real, over HTTP."""

import json
import os
import secrets
from argparse import RawDescriptionHelpFormatter
from typing import Any, Final

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, ProgrammingError
from django.utils import timezone

from rails import sealing
from settlements import calling, signatures, sources
from settlements.refusals import Refusal

SECRET_VARIABLE: Final = "CHAINPAY_WEBHOOK_SECRET"
_PATH: Final = "/webhooks/shipment_event"
_PING: Final = "PING"
_SECONDS: Final = 30.0
_MOST_BYTES: Final = 256 * 1024
_ID_BYTES: Final = 16


class Command(BaseCommand):
    """Prints the message's id, the status and the answer; exit code 0 for a 2xx, else 1."""

    help = f"""Signs a shipment event and posts it.

  manage.py send_event --source acme --type ping
  manage.py send_event --source acme --shipment SHIP-1 --type POD_CONFIRMED --dry-run

The secret is the source's newest live one in the database. With {SECRET_VARIABLE} in the environment that one is
used and the database is not asked."""
    requires_system_checks = []

    def create_parser(self, *args: Any, **kwargs: Any) -> CommandParser:
        """The examples keep their lines."""
        return super().create_parser(*args, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        """What the message says, and where it goes."""
        parser.add_argument("--source", required=True, help="the event source's name")
        parser.add_argument("--type", required=True, help="the event type, or ping")
        parser.add_argument("--shipment", help="the shipment_id; a ping needs none")
        parser.add_argument("--occurred-at", help="ISO 8601; now unless given")
        parser.add_argument("--event-id", help="your own id of the event, sent along")
        parser.add_argument("--dry-run", action="store_true", help="ask what it would create; nothing is stored")
        parser.add_argument("--url", default="http://localhost:8003", help="the service (%(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError, in one line, when there is no 2xx."""
        body = orjson.dumps(_event(options))
        headers = _headers(options["source"], _key(options["source"]), body)
        self.stdout.write(f"webhook-id: {headers['webhook-id']}")
        url = options["url"].rstrip("/") + _PATH + ("?dry_run=1" if options["dry_run"] else "")
        try:
            answer = calling.post(
                url, body=body, headers=headers, seconds=_SECONDS, most_bytes=_MOST_BYTES, private_allowed=True
            )
        except calling.CallFailed as failed:
            raise CommandError(f"No answer from {options['url']}: {failed}.") from None
        self.stdout.write(f"status: {answer.status}")
        self.stdout.write(_pretty(answer.body))
        if not 200 <= answer.status < 300:
            raise CommandError("The event was not accepted.")


def _event(options: dict[str, Any]) -> dict[str, str]:
    if not options["shipment"] and options["type"].upper() != _PING:
        raise CommandError("An event needs its --shipment; only a ping has none.")
    said = {
        "shipment_id": options["shipment"],
        "event_type": options["type"],
        "occurred_at": options["occurred_at"] or timezone.now().isoformat(),
        "event_id": options["event_id"],
    }
    return {name: value for name, value in said.items() if value}


def _key(source: str) -> bytes:
    given = os.environ.get(SECRET_VARIABLE)
    try:
        if given:
            return signatures.key_of(given.strip())
        return sources.secret_for_sending(source, now=timezone.now())
    except signatures.InvalidSecret as error:
        raise CommandError(f"{SECRET_VARIABLE}: {error}") from None
    except (Refusal, sealing.CannotUnseal) as refused:
        raise CommandError(str(refused)) from None
    except ProgrammingError:
        raise CommandError("The database has no tables yet: run `make run` or `manage.py migrate` first.") from None
    except OperationalError:
        raise CommandError(
            f"The database does not answer; set {SECRET_VARIABLE} to send without it, or on the database of `make run` "
            "use `python -m chainpay.embedded.manage send_event`."
        ) from None


def _headers(source: str, key: bytes, body: bytes) -> dict[str, str]:
    if not (source.isascii() and source.isprintable()):
        raise CommandError("The name of an event source is plain ASCII.")
    now, message_id = timezone.now(), f"msg_{secrets.token_hex(_ID_BYTES)}"
    return {
        "Content-Type": "application/json",
        "X-Event-Source": source,
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signatures.sign(key, message_id=message_id, at=now, body=body),
    }


def _pretty(body: bytes) -> str:
    """JSON with a line for each field, numbers as they came; anything else as it is."""
    try:
        found = json.loads(body, parse_float=orjson.Fragment, parse_int=orjson.Fragment)
        return orjson.dumps(found, option=orjson.OPT_INDENT_2).decode()
    except (ValueError, orjson.JSONEncodeError, RecursionError):
        return body.decode(errors="backslashreplace")
