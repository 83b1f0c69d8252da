"""What the environment says of mail is complete and right, or the service does not start."""

import environ
import pytest
from django.core.exceptions import ImproperlyConfigured

from chainpay import mail

RIGHT = {
    "EMAIL_URL": "smtp+tls://robot:p%40ss@mail.example.com:587",
    "CHAINPAY_DIGEST_TO": "team@example.com, lead@example.com",
    "CHAINPAY_BASE_URL": "https://pay.example.com/",
}


def read(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str] | None = None, *, demo: bool = False) -> mail.Mail:
    for name in ("EMAIL_URL", "CHAINPAY_DIGEST_TO", "CHAINPAY_BASE_URL", "CHAINPAY_MAIL_FROM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (variables or {}).items():
        monkeypatch.setenv(name, value)
    return mail.read(environ.Env(), port=8003, demo=demo)


def test_a_mail_server_and_a_team(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(monkeypatch, RIGHT)
    assert found.to == ["team@example.com", "lead@example.com"]
    assert (found.base_url, found.sender) == ("https://pay.example.com", "chainpay@pay.example.com")
    assert found.backend == {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": "mail.example.com",
        "EMAIL_PORT": 587,
        "EMAIL_HOST_USER": "robot",
        "EMAIL_HOST_PASSWORD": "p@ss",
        "EMAIL_USE_TLS": True,
    }


def test_without_a_word_of_mail_none_is_sent_and_nobody_is_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(monkeypatch)
    assert (found.to, found.base_url) == ([], "http://localhost:8003")
    assert found.backend["EMAIL_BACKEND"].endswith("dummy.EmailBackend")


def test_the_demo_prints_its_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(monkeypatch, demo=True)
    assert found.to == ["compliance@localhost"]
    assert found.backend["EMAIL_BACKEND"].endswith("console.EmailBackend")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"EMAIL_URL": "imap://u:secret@mail.example.com"}, "EMAIL_URL must be a URL that begins with smtp://"),
        ({"EMAIL_URL": "smtp://u:secret@mail.example.com:port"}, "EMAIL_URL must look like"),
        ({"EMAIL_URL": "smtp://"}, "EMAIL_URL must name a host"),
        ({"EMAIL_URL": ""}, "CHAINPAY_DIGEST_TO needs EMAIL_URL and CHAINPAY_BASE_URL"),
        ({"CHAINPAY_BASE_URL": ""}, "CHAINPAY_DIGEST_TO needs EMAIL_URL and CHAINPAY_BASE_URL"),
        ({"CHAINPAY_BASE_URL": "pay.example.com"}, "CHAINPAY_BASE_URL must look like"),
        ({"CHAINPAY_BASE_URL": "https://pay.example.com/?a=1"}, "CHAINPAY_BASE_URL must look like"),
        ({"CHAINPAY_DIGEST_TO": "team"}, "CHAINPAY_DIGEST_TO must be e-mail addresses"),
        ({"CHAINPAY_DIGEST_TO": "team@example.com\nBcc: x@example.com"}, "CHAINPAY_DIGEST_TO must be e-mail addresses"),
        ({"CHAINPAY_DIGEST_TO": ",".join(f"a{n}@example.com" for n in range(51))}, "at most 50"),
        ({"CHAINPAY_MAIL_FROM": "x@example.com\nBcc: y@example.com"}, "CHAINPAY_MAIL_FROM must be one line"),
    ],
)
def test_what_is_wrong_is_refused_by_name_and_without_the_password(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], words: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=words) as refused:
        read(monkeypatch, RIGHT | changes)
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None
