"""The pages load nothing from elsewhere and run nothing inline."""

import re
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from settlements.api import catalogue

PAGES = ["/docs", "/docs/errors"]
ASSET = re.compile(r'(?:src|href)="([^"]+)"')


def page(path: str) -> Any:
    answer = Client(SERVER_NAME="localhost").get(path)
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/html; charset=utf-8")
    return answer


@pytest.mark.parametrize("path", PAGES)
def test_all_that_a_page_loads_lies_here(path: str) -> None:
    html = page(path).content.decode()
    assets = ASSET.findall(html)
    static = [address.removeprefix("/static/") for address in assets if address.startswith("/static/")]
    assert static
    assert [address for address in assets if not address.startswith("/")] == []
    assert [name for name in static if finders.find(name) is None] == []


@pytest.mark.parametrize("path", PAGES)
def test_a_strict_policy_forbids_everything_else(path: str) -> None:
    answer = page(path)
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    html = answer.content.decode()
    assert "style=" not in html
    assert re.search(r"<style|<script(?! src=)| on\w+=", html) is None


def test_the_reader_asks_for_the_document_and_for_no_judge_of_it() -> None:
    script = finders.find("settlements/docs/reader.js")
    assert isinstance(script, str)
    with open(script, encoding="utf-8") as file:
        text = file.read()
    assert "validatorUrl: null" in text
    assert "http" not in text
    assert 'data-document="/openapi.json"' in page("/docs").content.decode()


def test_the_page_of_errors_tells_of_every_code() -> None:
    html = page("/docs/errors").content.decode()
    codes = [row.code for section in catalogue.sections() for row in section.rows]
    assert len(codes) > 80
    escaped = [code.replace("<", "&lt;").replace(">", "&gt;") for code in codes]
    assert [code for code in escaped if f">{code}</code>" not in html] == []
