"""What holds for every request, in the words a new integrator reads first."""

from typing import Final

INTRODUCTION: Final = """\
ChainPay pays for freight, milestone by milestone. A shipment event reaches `POST /webhooks/shipment_event`; each
payment intent of that shipment has a schedule that says what share the event releases; risk decides now, later, or
after a person looked.

**Carriers** need three things: the name of their event source, its secret (`whsec_...`), and any [Standard
Webhooks](https://www.standardwebhooks.com) library. Ask `GET /whoami` first: signed, it says who we take you for.

**Platforms** send `Authorization: Bearer cpk_...`. Each operation names the scope its key must hold. A key of one
carrier reads that carrier's shipments only; another's is 404 like a missing one.

**In the demo** requests without credentials act as the demo client, so all but the decisions can be tried here as it
is; `X-Demo-User: officer1` acts as that demo login, who may decide.

- **Amounts** are JSON numbers in major units with exactly the currency's digits: `10000.00` USD, `10000` JPY. They
  are accepted as number or text. Read them with a decimal parser, not as floats.
- **Times** are ISO 8601 in UTC. Status words and risk tiers are lower case, event types and providers upper case.
- **Bodies** are JSON objects in UTF-8 of at most 64 KiB, with `Content-Type: application/json` and a
  `Content-Length`. Unknown fields are refused by name, except in shipment events.
- **Errors** have one shape: a stable `code`, a `detail` for people, the `field` or null, and the `request_id`.
  Several faults of one request come together in `errors`. [Every code](/docs/errors). Addresses that do not exist are
  404 `not_found`, other methods 405 `method_not_allowed` with `Allow`, faults of ours 500 `internal_error`, all in
  this shape.
- **Rate limits** count per key and per source: `RateLimit-Limit` requests in a second, `RateLimit-Remaining` left,
  whole again after `RateLimit-Reset` seconds. Beyond that 429 with `Retry-After`.
  A 401 is not counted.
- **Repeating** is safe: an event by its id, `POST /payment_intents` by its `Idempotency-Key`; a decision taken twice
  is 409 and changes nothing.
- **Request ids**: every answer carries `X-Request-ID`; send your own to find it in our logs.
"""

TAGS: Final = {
    "Shipment events": "What a carrier or the platform posts, signed.",
    "Providers": "What payment providers post, signed by them.",
    "Payment intents": "What is owed, and what may be asked of it.",
    "Tokens and recipients": "What the upstream pushes: shipments' tokens, and who is paid.",
    "Audit": "What happened to the money, and why.",
    "Exports": "Whole datasets as CSV, on record with rows, totals and SHA-256.",
    "Compliance": "What waits for a person, and the decisions.",
    "Messages to you": "What subscribers are told of settlements, signed.",
    "Who is calling": "What we take a caller for.",
    "Operation": "Health, and this description.",
}
