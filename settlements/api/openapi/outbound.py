"""The messages that subscribers get: one settlement's news each, or the queue's, signed like those that come in."""

from typing import Any, Final

from settlements.api.openapi import examples
from settlements.api.openapi.operation import JSON
from settlements.api.openapi.shapes import (
    AMOUNT,
    CURRENCY,
    RELEASING_EVENT,
    SETTLEMENT_STATUS,
    TIER,
    Schema,
    answered,
    array,
    boolean,
    identity,
    moment,
    nullable,
    ref,
    shown,
    whole,
    words,
)
from settlements.statuses import News

_SAYS: Final[dict[News, str]] = {
    News.CREATED: "A milestone settlement came into being",
    News.DELAYED: "It waits for its hold, until `settlement_delayed_until`",
    News.REVIEW_REQUIRED: "It waits for a person",
    News.APPROVED: "It was released",
    News.SETTLED: "Its funds are confirmed",
    News.FAILED: "The provider refused it",
    News.RETURNED: "Its money came back",
    News.REJECTED: "A person rejected it",
    News.CANCELLED: "It was cancelled",
    News.REVIEW_DIGEST: "Settlements have joined the review queue, or waited too long in it",
    News.PING: "A test message",
}
_HOW: Final = (
    "Signed by the Standard Webhooks specification under your subscriber's secret. Answer 2xx within the time limit; "
    "anything else is tried again for three days, 410 is not. A message may come more than once and out of order: "
    "`webhook-id` tells repeats, `sequence` the order within an intent."
)
_STATUS: Final = nullable(SETTLEMENT_STATUS)
_GROUP: Final = answered(
    count=whole("How many settlements."),
    sums=array(answered(risk_tier=TIER, currency=CURRENCY, count=whole(lowest=1), amount=AMOUNT)),
)
_DIGEST: Final = answered(
    id=identity("The digest's number."),
    target_hours=whole("How long a settlement may wait.", lowest=1),
    waiting=whole("How many wait in all."),
    overdue=whole("How many of them longer than that."),
    target_missed=_GROUP,
    new=_GROUP,
    items=array(
        answered(
            milestone_id=identity(),
            payment_intent_id=identity(),
            shipment_id=shown(),
            event_type=RELEASING_EVENT,
            amount=AMOUNT,
            currency=CURRENCY,
            risk_tier=TIER,
            target_missed=boolean(),
            created_at=moment(),
            url=shown("The settlement's page in the review queue."),
        )
    ),
    items_left_out=whole("How many more the figures are of."),
)


def webhooks() -> dict[str, Any]:
    """The section `webhooks` of the document, by event type."""
    return {news.value: {"post": _message(news)} for news in News}


def _message(news: News) -> dict[str, Any]:
    schema, example = _shape(news)
    return {
        "operationId": f"on_{news.value.replace('.', '_')}",
        "tags": ["Messages to you"],
        "summary": _SAYS[news],
        "description": _HOW,
        "parameters": [
            _header("webhook-id", "Unique per message, the same for its repeats."),
            _header("webhook-timestamp", "Seconds since 1970 of this attempt."),
            _header("webhook-signature", "One `v1,...` per live secret, separated by spaces."),
        ],
        "requestBody": {
            "required": True,
            "content": {JSON: {"schema": schema, "examples": {news.value: {"value": example}}}},
        },
        "responses": {"2XX": {"description": "Taken."}, "410": {"description": "Never try this message again."}},
    }


def _shape(news: News) -> tuple[Schema, dict[str, Any]]:
    head: dict[str, Schema] = {"type": words([news.value]), "timestamp": moment("When it happened.")}
    shown_head = {"type": news.value, "timestamp": examples.LATER}
    if news is News.REVIEW_DIGEST:
        return answered(**head, data=_DIGEST), {**shown_head, "data": examples.DIGEST}
    if news is News.PING:
        return answered(**head, data=answered(subscriber=shown())), {**shown_head, "data": {"subscriber": "acme"}}
    schema = answered(
        **head,
        sequence=whole("Counts what happened to the intent.", lowest=1),
        from_status=_STATUS,
        to_status=_STATUS,
        data=ref("Milestone"),
    )
    example = {"sequence": 2, "from_status": None, "to_status": "approved", "data": examples.MILESTONE}
    return schema, {**shown_head, **example}


def _header(name: str, says: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": True, "description": says, "schema": {"type": "string"}}
