"""One headless Chromium and one real server for all tests of this directory; a context of its own for every visitor.

Playwright's synchronous interface runs an event loop in the tests' own thread, and Django takes that for asynchronous
code and refuses the database. The loop stands still whenever a test's code runs, so nothing is shared unsafely: Django
is told so for as long as the loop lives, which is as long as tests of this directory run. The server is a process of
its own and never hears of it.
"""

from collections.abc import Callable, Iterator
from functools import cache

import pytest
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, User
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright
from pytest_django.plugin import DjangoDbBlocker

from compliance import roles
from compliance.demo_logins import DEMO_LOGINS, DEMO_PASSWORD
from tests.bench.test_bench import url_of_the_server
from tests.browser import chromium, server
from tests.browser.watching import Watch
from tests.factories import log_in, platform_source

DESKTOP = ViewportSize(width=1280, height=800)
PHONE = ViewportSize(width=390, height=844)
ANSWER_MILLISECONDS = 20_000

Visit = Callable[..., Page]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--screenshots docs/screenshots` keeps the pictures that are in the documents."""
    parser.addoption("--screenshots", help="where test_screenshots.py puts its pictures instead of throwing them away")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The browser; without one the tests are skipped, and say what to install."""
    try:
        place = chromium.get()
    except chromium.NoBrowser as reason:
        pytest.skip(str(reason))
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        expect.set_options(timeout=ANSWER_MILLISECONDS)
        started = playwright.chromium.launch(executable_path=place, args=chromium.arguments())
        yield started
        started.close()


@pytest.fixture(scope="package")
def demo_server(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of the server under test, in demo mode."""
    with django_db_blocker.unblock():
        database_url = url_of_the_server()
    with server.serving(database_url, var=tmp_path_factory.mktemp("demo"), demo=True) as url:
        yield url


@pytest.fixture
def staff(transactional_db: None) -> dict[str, User]:
    """The demo's logins by their names, in an otherwise empty database; migrations' rows are put back first."""
    roles.install()
    platform_source()
    made = {}
    for login in DEMO_LOGINS:
        user = User.objects.create(username=login.username, is_staff=True, password=_hashed(DEMO_PASSWORD))
        user.groups.set([Group.objects.get(name=login.role.value)])
        made[login.username] = user
    return made


@pytest.fixture(scope="package")
def strict_server(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of a server outside the demo."""
    with django_db_blocker.unblock():
        database_url = url_of_the_server()
    with server.serving(database_url, var=tmp_path_factory.mktemp("strict"), demo=False) as url:
        yield url


@pytest.fixture
def visit(browser: Browser, demo_server: str, staff: dict[str, User]) -> Iterator[Visit]:
    """Opens a browser for somebody: a page without history or cookies, logged in if a login is named.

    Whatever a browser complains of by the end of the test fails it.
    """
    opened: list[tuple[BrowserContext, Watch]] = []

    def open_page(
        login: str | None = None, *, screen: ViewportSize = DESKTOP, dark: bool = False, origin: str = demo_server
    ) -> Page:
        context = browser.new_context(
            base_url=origin, viewport=screen, color_scheme="dark" if dark else "light", reduced_motion="reduce"
        )
        context.set_default_timeout(ANSWER_MILLISECONDS)
        opened.append((context, Watch(context, origin=origin)))
        if login:
            context.add_cookies(
                [{"name": settings.SESSION_COOKIE_NAME, "value": _session(staff[login]), "url": origin}]
            )
        return context.new_page()

    yield open_page
    for context, _ in opened:
        context.close()
    complaints = [complaint for _, watch in opened for complaint in watch.complaints]
    if complaints:
        pytest.fail("\n".join(["the browser complained:", *complaints]), pytrace=False)


def _session(user: User) -> str:
    """The cookie of a session that has just begun."""
    return log_in(Client(), user).cookies[settings.SESSION_COOKIE_NAME].value


@cache
def _hashed(password: str) -> str:
    """Hashing is slow on purpose; once is enough."""
    return make_password(password)
