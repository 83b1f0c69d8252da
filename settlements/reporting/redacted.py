"""The rules of `settlements/redaction.py` for plain words, as SQL: what looks like a secret does not leave in a view.

A function without rights of its own: whoever reads a view calls the functions in it as themselves.
"""

from typing import Final

from settlements.redaction import HIDDEN

# Pattern, replacement and flags of regexp_replace, in their order. A backslash followed by a digit is the group kept.
_RULES: Final = (
    (
        r"((?:\mwhsec|\mcpk|\msk_live|\msk_test|\mrk_live|\mrk_test)_|\mBearer\s+)[^\s\"''<>,;\\]+",
        rf"\1{HIDDEN}",
        "gi",
    ),
    (r"(://)[^/\s\"''<>@]{1,200}(?=@)", rf"\1{HIDDEN}", "g"),
    (
        r"(\m[a-z_-]{0,20}(?:password|passwd|secret|token|api[_-]?key|signature|credential)=)[^&\s\"''<>]+",
        rf"\1{HIDDEN}",
        "gi",
    ),
    (
        r"(?<![0-9A-Za-z])[A-Z]{2}[0-9]{2}(?=[A-Z]{0,4}[0-9]{7})[A-Z0-9]{7,26}([A-Z0-9]{4})(?![0-9A-Za-z])",
        r"****\1",
        "g",
    ),
    (r"(?<![0-9])[0-9]{8,}([0-9]{4})(?![0-9])", r"****\1", "g"),
    (r"(?<![0-9])[0-9]{4}(?:[ -][0-9]{4}){2,3}(?:[ -][0-9]{1,3})?(?![0-9])", HIDDEN, "g"),
)


def function(schema: str) -> str:
    """The statement that makes `redacted(text)`: account and card numbers keep their last four digits."""
    expression = "$1"
    for pattern, replacement, flags in _RULES:
        expression = f"regexp_replace({expression}, '{pattern}', '{replacement}', '{flags}')"
    return (
        f"CREATE FUNCTION {schema}.redacted(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $function$\n"
        f"SELECT {expression}\n$function$"
    )
