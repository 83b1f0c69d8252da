"""Outside the demo a password is half a login: the second factor is set up, asked for, and asked for again."""

import time

from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, expect

from compliance.demo_logins import DEMO_PASSWORD
from tests.browser import accessibility, desk
from tests.browser.conftest import Visit
from tests.browser.watching import path_of

PERIOD_SECONDS = 30


def code(secret: str, *, later: int = 0) -> str:
    """What the app shows now, or some codes later."""
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // PERIOD_SECONDS + later)))


def give_password(page: Page) -> None:
    page.get_by_label("Username").fill("officer1")
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Log in").click()


def long_ago(user: User) -> None:
    """The person showed who they are long ago, in every session."""
    for row in Session.objects.all():
        session = SessionStore(row.pk)
        records = session.get("account_authentication_methods", [])
        session["account_authentication_methods"] = [{**record, "at": record["at"] - 86_400} for record in records]
        session.save()


def test_from_a_password_alone_to_an_approval(visit: Visit, strict_server: str, staff: dict[str, User]) -> None:
    settlement = desk.waiting("SHIP-ANTWERP")
    page = visit(origin=strict_server)
    page.goto(desk.QUEUE)
    give_password(page)
    page.wait_for_url("**/admin/account/second-factor/**")
    page.goto(desk.QUEUE)
    assert path_of(page).startswith("/admin/account/second-factor/")
    page.get_by_role("link", name="Set up an authenticator app").click()
    secret = page.locator(".cp-secret").inner_text()
    assert accessibility.faults(page) == []
    page.get_by_label("Code").fill("000000" if code(secret) != "000000" else "111111")
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_text("This code is wrong.")).to_be_visible()
    page.get_by_label("Code").fill(code(secret))
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    recovery = page.locator(".cp-codes code").all_inner_texts()
    page.goto(desk.QUEUE)
    expect(desk.row(page, settlement)).to_be_visible()

    again = visit(origin=strict_server)
    again.goto(desk.item(settlement))
    give_password(again)
    again.get_by_label("Code").fill(code(secret, later=1))
    again.get_by_role("button", name="Log in", exact=True).click()
    desk.arrive(again, desk.item(settlement))
    long_ago(staff["officer1"])
    desk.decide(again, "Approve", "papers are in order")
    expect(again.get_by_role("heading", name="Confirm that it is you")).to_be_visible()
    assert (desk.state(settlement), desk.releases(settlement)) == ("PENDING", [])
    assert accessibility.faults(again) == []
    again.get_by_label("Password").fill(DEMO_PASSWORD)
    again.get_by_label("Code").fill(recovery[0])
    again.get_by_role("button", name="Confirm").click()
    expect(again.get_by_role("textbox", name="Reason")).to_have_value("papers are in order")
    desk.main(again).get_by_role("button", name="Approve").click()
    expect(desk.main(again)).to_contain_text("Settlement approved")
    assert desk.releases(settlement) == [80_000]
