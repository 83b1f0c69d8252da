"""What is shown of a message: everything as it came, but nothing secret."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlements import redaction

NAUGHTY = json.loads((Path(__file__).parents[1] / "data/blns/blns.json").read_text(encoding="utf-8"))
SECRETS = [
    "password", "Client_Secret", "token", "accessToken", "Authorization", "api_key", "X-Api-Key", "webhook-signature",
    "account_number", "accountNumber", "IBAN", "routing_number", "p\\u0061ssword",
]  # fmt: skip
HARMLESS = ["shipment_id", "freight_token_id", "freightTokenId", "event_type", "note", "weight"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9_999, 9_999) | st.text('abc {}[]:,"\\\n', max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(HARMLESS), inner, max_size=3),
    max_leaves=12,
)


@pytest.mark.parametrize("key", SECRETS)
@pytest.mark.parametrize("value", ['"hunter2"', "4711", '["hunter2", {"a": 4711}]', '{"a": {"b": "hunter2"}}'])
@pytest.mark.parametrize("show", [redaction.as_received, redaction.pretty])
def test_the_value_of_a_key_that_sounds_secret_is_not_shown_however_deep(show, key, value):
    shown = show(f'{{"a": [{{"{key}" : {value}}}], "after": "seen"}}')
    assert "hunter2" not in shown
    assert "4711" not in shown
    assert json.loads(shown)["after"] == "seen"


@pytest.mark.parametrize("key", HARMLESS)
def test_other_keys_keep_their_values(key):
    body = f'{{"{key}":  "hunter2", "n": 10000.00}}'
    assert redaction.as_received(body) == body


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("whsec_MfKQ9r8GKYqrTwjU+/PD8ILPZIo2LaLaSw==", "whsec_[redacted]"),
        ("key cpk_abc-123 expired", "key cpk_[redacted] expired"),
        ("sk_live_51Habc and sk_test_4eC39H", "sk_live_[redacted] and sk_test_[redacted]"),
        ("Authorization was Bearer abc.def.ghi", "Authorization was Bearer [redacted]"),
        ("4111111111111111", "************1111"),
        ("4111 1111 1111 1111", "***************1111"),
        ("account 000123456789.", "account ********6789."),
        ("2025-11-07T15:30:00Z 12345678901", "2025-11-07T15:30:00Z 12345678901"),
    ],
)
def test_what_looks_like_a_secret_is_hidden_wherever_it_stands(words, shown):
    assert redaction.text(words) == shown
    assert redaction.as_received(json.dumps({"note": words})) == json.dumps({"note": shown})


def test_a_secret_spelled_in_escapes_is_hidden_too():
    assert "abcdef" not in redaction.as_received('{"note": "\\u0077hsec_abcdef"}')
    assert "11112222" not in redaction.pretty('{"note": "\\u003411112222333"}')


def test_a_number_as_long_as_an_account_number_keeps_its_last_four_digits():
    assert json.loads(redaction.pretty('{"n": 123456789012}')) == {"n": "********9012"}


def test_pretty_keeps_every_spelling_and_puts_one_value_to_a_line():
    assert redaction.pretty('{"a":1.50,"b":[],"c":[1e3,{"d":"\\u00e9"}]}') == (
        '{\n  "a": 1.50,\n  "b": [],\n  "c": [\n    1e3,\n    {\n      "d": "\\u00e9"\n    }\n  ]\n}'
    )


@given(VALUES, st.sampled_from([None, 1, "\t"]))
def test_what_holds_no_secret_says_the_same_in_both_layouts(value, indent):
    body = json.dumps({"value": value}, indent=indent)
    assert redaction.as_received(body) == body
    assert json.loads(redaction.pretty(body)) == {"value": value}


@pytest.mark.parametrize("body", [*NAUGHTY, "[", "}", '{"', '"\\', "{{{", "]]"])
def test_what_is_no_json_is_shown_all_the_same(body):
    assert isinstance(redaction.as_received(body), str)
    assert isinstance(redaction.pretty(body), str)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("pay DE89370400440532013000 now", "pay ******************3000 now"),
        ("NL91ABNA0417164300", "**************4300"),
        ("FR1420041010050500013M02606", "***********************2606"),
        ("GB82WEST12345698765432.", "******************5432."),
        ("1" * 25, "*" * 21 + "1111"),
        ("https://u:p@x/hooks", "https://[redacted]@x/hooks"),
        ("https://x/?api_key=abc&a=1&password=hunter2", "https://x/?api_key=[redacted]&a=1&password=[redacted]"),
        ("access_token=abc;", "access_token=[redacted]"),
    ],
)
def test_accounts_and_addresses_keep_their_secrets(words: str, shown: str) -> None:
    assert redaction.text(words) == shown


@pytest.mark.parametrize(
    "words",
    ["SHIP-BOZZA-001", "2025-11-07T15:30:00Z", "MSKU1234567", "12345678901", "AB12CDEFGHIJKLMNOP", "token: 7",
     "https://x/a?b=c", "a@b.example"],
)  # fmt: skip
def test_what_is_no_secret_is_shown_as_it_is(words: str) -> None:
    assert redaction.text(words) == words


@pytest.mark.parametrize("unit", ["A", "AA11A", "1 ", "://", "token", "://a", "api_", "0000-"])
def test_hostile_texts_are_read_to_their_end(unit: str) -> None:
    assert redaction.text(unit * (65_536 // len(unit)))


@given(st.from_regex(redaction._SECRET_TEXT) | st.from_regex(redaction._IN_A_URL))
def test_no_secret_is_passed_over_for_want_of_a_mark(words):
    assert redaction.HIDDEN in redaction.keys(words)
