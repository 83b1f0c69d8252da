"""What every kind of answer tells the browser it may do."""

import pytest
from django.test import Client

from tests.access.conftest import CONFIRM, LOGIN, Person
from tests.compliance.conftest import waiting

STRICT = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}


def policy(answer) -> dict[str, str]:
    directives = (directive.strip().split(" ", 1) for directive in answer["Content-Security-Policy"].split(";"))
    return {words[0]: words[1] if len(words) > 1 else "" for words in directives}


@pytest.fixture
def inside(enrolled) -> Person:
    enrolled.password()
    enrolled.type_code()
    return enrolled


def test_pages_of_staff_load_from_here_only_and_are_kept_by_no_cache(inside):
    one = waiting()
    queue = "/admin/compliance/reviewqueue/"
    for path in ("/admin/", queue, f"{queue}{one.pk}/", f"{queue}{one.pk}/approve/", CONFIRM, "/admin/nothing/"):
        answer = inside.client.get(path)
        told = policy(answer)
        # Alpine compiles its expressions; scripts still come from files of ours.
        assert told.pop("script-src") == "'self' 'unsafe-eval'", path
        assert STRICT.items() - {("script-src", "'self'")} <= told.items(), path
        assert (told["form-action"], told["object-src"], told["font-src"]) == ("'self'", "'none'", "'self'")
        assert answer["Cache-Control"] == "no-store"
        assert answer["Referrer-Policy"] == "same-origin"
        assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert "camera=()" in answer["Permissions-Policy"]
        assert "publickey-credentials-get=(self)" in answer["Permissions-Policy"]


def test_no_page_of_staff_brings_styles_or_scripts_of_its_own(inside):
    import re

    one = waiting()
    queue = "/admin/compliance/reviewqueue/"
    factors = "/admin/account/second-factor/"
    lists = ("/admin/settlements/milestonesettlement/", "/admin/settlements/shipmentevent/")
    pages = ("/admin/", queue, f"{queue}{one.pk}/", f"{queue}{one.pk}/approve/", CONFIRM, factors, *lists)
    for path in (*pages, f"{factors}keys/add/", "/admin/password_change/"):
        page = inside.client.get(path).content.decode()
        assert "<style" not in page, path
        assert not re.search(r"<[^>]*\s(style|on[a-z]+)=", page), path
        inline = [
            tag for tag in re.findall(r"<script[^>]*>", page) if "src=" not in tag and "application/json" not in tag
        ]
        assert not inline, path


def test_strangers_get_the_same(db):
    for path in (LOGIN, "/admin/"):
        answer = Client().get(path)
        assert policy(answer)["default-src"] == "'none'"
        assert answer["Cache-Control"] == "no-store"


def test_public_pages_are_stricter_still(db):
    for path in ("/docs", "/docs/errors"):
        told = policy(Client().get(path))
        assert STRICT.items() <= told.items()
        assert told["form-action"] == "'none'"


def test_what_is_no_page_may_do_nothing(db):
    for path in ("/healthz", "/openapi.json", "/payment_intents", "/nothing"):
        answer = Client().get(path)
        assert answer["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'", path
        assert answer["X-Content-Type-Options"] == "nosniff"


def test_nothing_but_the_admin_may_evaluate(db):
    for path in ("/", "/admin", "/docs", "/docs/errors", "/healthz"):
        assert "unsafe" not in Client().get(path)["Content-Security-Policy"]
