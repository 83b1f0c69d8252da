"""POST /webhooks/shipment_event: a message in, an answer out, and a repeat gets the same answer."""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from settlements import inbox, rehearsal, sources, strict_json, values
from settlements.api import representations, request_ids
from settlements.api.callers import CallerKind
from settlements.api.endpoint import Endpoint
from settlements.api.errors import Refused
from settlements.api.fields import Fields
from settlements.api.headers import visible_header
from settlements.api.rendering import answer
from settlements.api.words import PING, EventWord
from settlements.permissions import Scope
from settlements.refusals import Refusal
from settlements.rehearsal import Rehearsal
from settlements.statuses import EventState

CLOCK_TOLERANCE = timedelta(minutes=5)
_LOOKS = 5
Done = TypeVar("Done")


class ShipmentEventWebhook(Endpoint):
    """Stores and processes one shipment event, or with `dry_run` tells what that would do."""

    scopes = {"POST": Scope.EVENTS_WRITE}
    query_parameters = frozenset({"dry_run"})
    keyed = False
    signed = True

    def post(self, request: Request) -> HttpResponse:
        now = timezone.now()
        dry_run = self.query.flag("dry_run")
        if _is_ping(self.body):
            return self._pong(now)
        message = self._message(request, now=now)
        if dry_run:
            return _rehearsed(self._in_its_name(message, rehearsal.of_message))
        receipt = self._in_its_name(message, partial(inbox.receive, now=now))
        request_ids.tell_event(receipt.event_id)
        return _answer(receipt)

    def handle_exception(self, exc: Exception) -> Any:
        """Who was remembered, and is refused, is looked at anew first: what has ended is told nothing but that."""
        caller = getattr(self, "caller", None)
        if caller is not None and caller.kind is CallerKind.SOURCE and isinstance(exc, Refused | Refusal):
            try:
                self.identified(fresh=True)
            except Refused as refused:
                exc = refused
        return super().handle_exception(exc)

    def _message(self, request: Request, *, now: datetime) -> Callable[..., inbox.Message]:
        """The message in the body, which wants only its source and actor."""
        with Fields(self.body, allowed=None) as fields:
            shipment_id = fields.text_or_integer("shipment_id")
            event_type = fields.word("event_type", EventWord, any_case=True)
            moment = fields.moment("occurred_at")
            event_id = fields.maybe("event_id", values.text_or_integer, nullable=True)
            if moment is not None and moment.at > now + CLOCK_TOLERANCE:
                fields.fault(
                    "occurred_at", "occurred_at_in_the_future", "occurred_at lies more than 5 minutes in the future."
                )
        digest = hashlib.sha256(strict_json.canonical(self.body)).digest()
        return partial(
            inbox.Message,
            message_id=_message_id(request, event_id, digest),
            body=self.raw_body().decode(),
            body_hash=digest,
            shipment_id=shipment_id,
            event_type=event_type.value,
            occurred_at=moment.at,
            occurred_at_was_naive=moment.was_naive,
        )

    def _in_its_name(self, message: Callable[..., inbox.Message], handle: Callable[[inbox.Message], Done]) -> Done:
        """Handles the message in its source's name; one whose source has changed meanwhile is looked at again."""
        source = self._source(fresh=False)
        for _ in range(_LOOKS):
            try:
                return handle(message(source=source, actor=self.caller.actor))
            except inbox.SourceChanged:
                source = self._source(fresh=True)
        raise inbox.SourceChanged("the source changes faster than it can be read")

    def _source(self, *, fresh: bool) -> sources.Source:
        """In whose name the event comes: that of the signature, and in the demo the platform's."""
        if self.caller.kind is not CallerKind.DEMO:
            if fresh:
                self.caller = self.identified(fresh=True)
            assert self.caller.source is not None
            return self.caller.source
        platform = sources.known(sources.PLATFORM, fresh=fresh)
        if platform is None or not platform.active:
            raise Refused("event_source_inactive", "The demo's event source, platform, is switched off.", 403)
        return platform.source

    def _pong(self, now: datetime) -> HttpResponse:
        """The answer to whom we would take events from; nothing else happens."""
        with Fields(self.body, allowed=None) as fields:
            shipment_id = fields.maybe("shipment_id", values.text_or_integer, nullable=True)
            fields.maybe("occurred_at", values.moment, nullable=True)
        self._source(fresh=True)  # what was revoked a moment ago gets no pong either
        return answer(
            {
                "shipment_id": shipment_id,
                "event_type": PING,
                "processed_at": now,
                "milestone_settlements_created": 0,
                "message": "Pong: this address takes your events; nothing was stored.",
            }
        )


def _is_ping(body: dict[str, Any]) -> bool:
    word = body.get("event_type")
    return isinstance(word, str) and word.isascii() and word.upper() == PING


def _message_id(request: Request, event_id: str | None, digest: bytes) -> str:
    """The `webhook-id` header, else `event_id`, else the hash of the body."""
    header = visible_header(request._request, "webhook-id")
    if header is not None:
        return f"webhook-id:{header}"
    return f"event_id:{event_id}" if event_id is not None else f"body:{digest.hex()}"


def _answer(receipt: inbox.Receipt) -> HttpResponse:
    return answer(_told(receipt), status=202 if receipt.processed_at is None else 200)


def _told(receipt: inbox.Receipt) -> dict[str, Any]:
    created = receipt.settlements_created
    message = f"Processed shipment event: {created} milestone settlement(s) created/updated"
    if receipt.processed_at is None:
        message = "Stored; processing did not succeed yet and is tried again by the next sweep"
    if receipt.state is EventState.FAILED:
        message = "Stored; processing failed repeatedly and waits for an operator"
    return {
        "shipment_id": receipt.shipment_id,
        "event_type": receipt.event_type,
        "processed_at": receipt.processed_at,
        "milestone_settlements_created": created,
        "message": message,
    }


def _rehearsed(found: Rehearsal) -> HttpResponse:
    return answer(
        {
            "shipment_id": found.shipment_id,
            "event_type": found.event_type,
            "dry_run": True,
            "would_create": [representations.planned(each) for each in found.would_create],
            "first_answer": _told(found.earlier) if found.earlier else None,
            "milestone_settlements_created": 0,
            "message": found.message,
        }
    )
