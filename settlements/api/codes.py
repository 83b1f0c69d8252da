"""Which codes the interface itself answers with, what each means, and its status; the domain's are its refusals' own.

A test finds every code that is spelled out in the sources, here or in one of the tables this module names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Code:
    """The HTTP status a code comes with, and what it tells whoever gets it."""

    status: int
    says: str


CODES: Final[Mapping[str, Code]] = MappingProxyType(
    {
        "account_ambiguous": Code(400, "A wire names IBAN and BIC, or routing and account number, or BIC and number."),
        "bad_request": Code(400, "The request can not be understood at all."),
        "body_incomplete": Code(400, "The body ended before its announced length; send it again."),
        "body_too_large": Code(413, "The body is larger than 64 KiB."),
        "csrf_failed": Code(403, "A form of the admin came without its token; load its page again."),
        "database_unavailable": Code(503, "Nothing is known to have been written; repeat after `Retry-After`."),
        "demo_client_may_not_decide": Code(403, "In the demo, decide as a demo login: `X-Demo-User: officer1`."),
        "destination_not_needed": Code(400, "The payment method pays without a destination; leave it out."),
        "event_source_inactive": Code(403, "The demo's event source is switched off in the admin."),
        "exports_busy": Code(503, "Others are being sent; repeat after `Retry-After`, or ask for a file."),
        "foreign_origin": Code(403, "In the demo, pages of another origin may not call this service."),
        "host_not_allowed": Code(400, "This service does not answer to that host name."),
        "internal_error": Code(500, "A fault of ours; tell us the `request_id`."),
        "invalid_credentials": Code(401, "The key is not valid, has expired or was revoked, or came with a signature."),
        "invalid_signature": Code(401, "Unknown source, no live secret made this signature, or the time is off."),
        "items_not_allowed": Code(400, "Only a schedule of type `custom` has items."),
        "length_required": Code(411, "Send a `Content-Length`; bodies in chunks are refused."),
        "malformed_json": Code(400, "The body is not strict JSON; the detail says where."),
        "method_ambiguous": Code(400, "The body and the query name different payment methods."),
        "metrics_not_open": Code(403, "No `CHAINPAY_METRICS_TOKEN` is set, so `/metrics` answers its own host alone."),
        "method_not_allowed": Code(405, "The address has other methods; see the `Allow` header."),
        "no_answer": Code(502, "No answer reached the proxy; 504: in time; 500: it has no room. Send the same again."),
        "not_an_object": Code(400, "The body is JSON, but no object."),
        "not_authenticated": Code(401, "The request came without the key or the signature it needs."),
        "not_found": Code(404, "There is nothing at this address."),
        "not_ready": Code(503, "The service can not work yet; `checks` says what is missing."),
        "occurred_at_in_the_future": Code(400, "The event lies more than 5 minutes ahead of our clock."),
        "permission_denied": Code(403, "You are known, but this needs a scope or a role you do not have."),
        "recipient_unknown": Code(404, "No recipient has this id; one in a body is 400, one in a path 404."),
        "repeated_parameter": Code(400, "A query parameter is given more than once."),
        "shipment_not_found": Code(404, "There is no such shipment, or it is none of yours."),
        "stripe_event_invalid": Code(400, "The signature is right, but the body is no event as Stripe's API has them."),
        "too_many_parameters": Code(400, "The request has too many query parameters."),
        "too_many_requests": Code(429, "The caller's requests of this second are used up; wait for `Retry-After`."),
        "unknown_demo_user": Code(401, "`X-Demo-User` names no demo login."),
        "unknown_field": Code(400, "The body has a field that does not exist here; the detail lists those that do."),
        "unknown_parameter": Code(400, "The query has a parameter that does not exist here; the detail lists those."),
        "unsupported_media_type": Code(415, "Send `application/json` in UTF-8, without a `Content-Encoding`."),
    }
)

# What `fields.py`, `values.py` and the readers of headers and queries put behind a field's name (all of them 400).
SUFFIXES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "missing": "The field is required and absent.",
        "not_text": "The field must be a text (an upstream identifier may be a whole number too).",
        "empty": "The text is empty, or has nothing to see in it.",
        "too_long": "The text is too long; the detail says how long it may be.",
        "not_visible": "The text has control characters in it, or spaces around it.",
        "not_an_id": "The field must be a positive whole number.",
        "not_a_number": "The field must be a number, or a text in plain digits.",
        "not_a_boolean": "The field must be true or false.",
        "not_a_time": "The field must be an ISO 8601 date and time that exists.",
        "not_an_object": "The field must be an object.",
        "not_an_array": "The field must be an array of as many objects as the detail says.",
        "out_of_range": "The number must be from 0 to 1.",
        "too_precise": "The number has more digits after the point than are kept.",
        "unknown": "The word is not in the vocabulary; the detail lists it.",
        "invalid": "A word, header or query parameter that can not be read; the detail says what it may be.",
    }
)
