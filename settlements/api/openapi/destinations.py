"""Destinations of a recipient: what is sent for each rail, and how it is answered with its number masked."""

from typing import Any, Final

from rails.destinations import Standing
from rails.routing import bank_account, stripe_account, wire_account
from settlements.api.openapi.examples import LATER
from settlements.api.openapi.shapes import Schema, answered, moment, nullable, sent, shown, words

# As names of fields in codes: `routing_number_invalid`.
FIELDS: Final = tuple(
    sorted({*bank_account.RULES, *stripe_account.RULES, *wire_account.RULES, "stripe", "ach", "wire"})
)
_ROUTING_NUMBER: Final[Schema] = {
    "type": "string",
    "pattern": "^[0-9]{9}$",
    "description": "ABA routing number; its check digit must be right.",
}
_ACCOUNT_NUMBER: Final = "As the bank writes it; sealed, and shown by its last four from then on."
_STRIPE: Final = sent(
    required=("account",),
    account={
        "type": "string",
        "pattern": "^acct_[0-9A-Za-z]{8,60}$",
        "description": "Id of the connected account.",
    },
)
_ACH: Final = sent(
    required=tuple(bank_account.RULES),
    routing_number=_ROUTING_NUMBER,
    account_number={"type": "string", "pattern": "^[0-9A-Za-z-]{1,17}$", "description": _ACCOUNT_NUMBER},
    account_type=words(bank_account.ACCOUNT_TYPES),
    holder_name={
        "type": "string",
        "pattern": "^[ -~]{1,22}$",
        "description": "As the bank knows the holder; an entry carries 22 characters.",
    },
    sec_code=words(bank_account.SEC_CODES, "CCD for a company's account, PPD for a person's."),
)


def _swift(longest: int, says: str = "") -> Schema:
    schema: Schema = {"type": "string", "pattern": f"^[0-9A-Za-z/?:().,'+ -]{{1,{longest}}}$"}
    return {**schema, "description": says} if says else schema


_WIRE: Final = sent(
    required=("creditor_name", "town", "country"),
    iban=nullable({"type": "string", "minLength": 1, "description": "Together with `bic`."}),
    bic=nullable({"type": "string", "minLength": 1, "description": "8 or 11 characters."}),
    routing_number=nullable({**_ROUTING_NUMBER, "description": "For Fedwire, together with `account_number`."}),
    account_number=nullable({"type": "string", "pattern": "^[0-9A-Za-z-]{1,34}$", "description": _ACCOUNT_NUMBER}),
    creditor_name=_swift(140, "The characters that SWIFT carries; write `ae` for ä."),
    street=nullable(_swift(70)),
    building_number=nullable(_swift(16)),
    postal_code=nullable(_swift(16)),
    town=_swift(35),
    country={"type": "string", "pattern": "^[A-Z]{2}$", "description": "ISO 3166, two letters."},
)
SENT: Final[Schema] = {
    **sent(stripe=nullable(_STRIPE), ach=nullable(_ACH), wire=nullable(_WIRE)),
    "type": ["object", "null"],
    "description": "By payment method. A rail that is absent stays as it is, null closes what there is. The first "
    "destinations of a recipient are usable at once; a change waits for its quarantine and for a person of ours.",
}
_SHOWN: Final[Schema] = {
    "type": "object",
    "required": ["usable_from", "proposed_at"],
    "properties": {"usable_from": moment("When the quarantine ends."), "proposed_at": moment()},
    "additionalProperties": {"type": "string"},
    "description": "As it was sent, the number masked: `••4567`.",
}
ANSWERED: Final[Schema] = {
    "type": "object",
    "description": "By payment method; only those that there is a destination for.",
    "additionalProperties": answered(
        state=words(Standing, "Whether money can go there just now, and if not, why."),
        obstacle=nullable(shown("The same in words; null when it can.")),
        in_force=nullable(_SHOWN),
        proposed=nullable(_SHOWN),
    ),
}
EXAMPLE_SENT: Final[dict[str, Any]] = {
    "ach": {
        "routing_number": "021000021",
        "account_number": "000123456789",
        "account_type": "checking",
        "holder_name": "ACME HAULAGE LLC",
        "sec_code": "CCD",
    }
}
EXAMPLE: Final[dict[str, Any]] = {
    "ach": {
        "state": "usable",
        "obstacle": None,
        "in_force": {
            "account_number": "••6789",
            "routing_number": "021000021",
            "account_type": "checking",
            "holder_name": "ACME HAULAGE LLC",
            "sec_code": "CCD",
            "usable_from": LATER,
            "proposed_at": LATER,
        },
        "proposed": None,
    }
}
