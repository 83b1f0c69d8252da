"""What a browser complains of is noticed: a test that saw nothing wrong has had nothing to see."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import accessibility
from tests.browser.watching import Watch
from tests.raw_server import RawServer, answering, closed_port, http

HEADERS = "Content-Security-Policy: script-src 'unsafe-inline'; style-src 'self'\r\n"
HEAD = "<!doctype html><html lang=en><title>A page</title><link rel=icon href='data:,'><h1>A page</h1>"


@pytest.fixture
def shown(browser: Browser) -> Iterator["Shown"]:
    shown = Shown(browser)
    yield shown
    shown.page.context.close()


class Shown:
    """A page of any content, and what the browser complained of."""

    def __init__(self, browser: Browser) -> None:
        self.page: Page = browser.new_context().new_page()
        self.complaints: list[str] = []

    def __call__(self, body: str, status: str = "200 OK") -> list[str]:
        page = http((HEAD + body).encode(), status=status, headers=HEADERS).replace(b"application/json", b"text/html")
        with RawServer(answering(page)) as server:
            watch = Watch(self.page.context, origin=server.url)
            self.page.goto(server.url)
            self.page.wait_for_load_state("networkidle")
        return watch.complaints


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("<script>console.error('ouch')</script>", "console error"),
        ("<script>console.warn('careful')</script>", "console warning"),
        ("<script>nobody.knows()</script>", "uncaught"),
        ("<p style='color: red'>red</p>", "Content Security Policy"),
        ("<script src='/nothing.js'></script>", "Content Security Policy"),
        (f"<img alt='' src='http://127.0.0.1:{closed_port()}/a.png'>", "request to somebody else"),
        ("<img alt='' src='http://www.example.org/a.png'>", "request to somebody else"),
    ],
)
def test_every_kind_of_complaint_is_kept(shown: Shown, body: str, complaint: str) -> None:
    assert any(complaint in each for each in shown(body))


def test_a_page_that_failed_is_a_complaint_whatever_it_shows(shown: Shown) -> None:
    assert any(each.startswith("500 from") for each in shown("", status="500 Internal Server Error"))


@pytest.mark.parametrize("status", ["200 OK", "403 Forbidden", "409 Conflict"])
def test_a_decent_page_is_none_and_neither_is_a_refused_one(shown: Shown, status: str) -> None:
    assert shown("<p>All is well.</p>", status=status) == []


def test_what_cannot_be_read_is_a_fault(shown: Shown) -> None:
    shown("<p>Good.</p>")
    assert accessibility.faults(shown.page) == []
    shown("<img src='data:,'><div>" + "wide" * 2_000 + "</div>")
    [missing, wide] = accessibility.faults(shown.page)
    assert missing.startswith("critical: image-alt")
    assert wide.endswith("px wider than its screen")
