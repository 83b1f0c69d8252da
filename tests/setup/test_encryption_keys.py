"""The keys that seal secrets: the newest first, and one made out of SECRET_KEY behind them."""

import base64

import pytest
from django.core.exceptions import ImproperlyConfigured

from chainpay.encryption_keys import read

KEY = base64.b64encode(bytes(range(32))).decode()
OTHER = base64.b64encode(bytes(32)).decode()


def test_without_a_setting_the_one_key_comes_from_the_secret_key_and_its_name_says_which() -> None:
    (name, key), *rest = read("", "secret").items()
    assert rest == []
    assert (len(key), name.startswith("secret-key-")) == (32, True)
    assert read("", "secret") == {name: key}
    (other_name, other_key) = next(iter(read("", "another").items()))
    assert (other_name == name, other_key == key) == (False, False)


def test_what_is_set_seals_in_its_order_and_the_derived_one_still_opens() -> None:
    keys = read(f" 2026:{KEY} , 2025:{OTHER},", "secret")
    assert list(keys)[:2] == ["2026", "2025"]
    assert keys["2026"] == bytes(range(32))
    assert list(keys)[2:] == list(read("", "secret"))


@pytest.mark.parametrize(
    "wrong",
    [
        KEY, f":{KEY}", "2026", "2026:", "2026:abc", f"2026:{KEY[:-4]}", f"2026:{KEY}AAAA", f"A:{KEY}", f"a b:{KEY}",
        f"2026:{KEY},2026:{OTHER}", f"secret-key-1:{KEY}", f"{'x' * 33}:{KEY}", f"2026;{KEY}", f"é:{KEY}", "a:é",
    ],
)  # fmt: skip
def test_what_is_no_list_of_keys_is_refused_without_repeating_it(wrong: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"CHAINPAY_ENCRYPTION_KEYS must be id:key pairs") as refusal:
        read(wrong, "secret")
    assert KEY[:8] not in str(refusal.value)
