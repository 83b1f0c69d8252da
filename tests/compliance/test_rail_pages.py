"""Rails are turned on and off, and the table of default payment methods is kept, by those who manage rails."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from compliance.roles import ROLES, Role
from rails import choosing, recipients
from rails.ach.rail import AchRail
from rails.choosing import Payments
from rails.models import MethodRule, RailSwitch
from rails.money import Money
from settlements.permissions import Permission
from tests.compliance.conftest import logged_in

pytestmark = pytest.mark.django_db
SWITCHES, RULES = "/admin/rails/railswitch/", "/admin/rails/methodrule/"
OFF, ON = f"{SWITCHES}turn/internal_ledger/off/", f"{SWITCHES}turn/internal_ledger/on/"
RULE = {
    "recipient": "",
    "currency": "USD",
    "lowest": "1000",
    "below": "",
    "method": "internal_ledger",
    "reason": "bank",
}


def text(answer: Any) -> str:
    return str(answer.content.decode())


def test_every_rail_is_listed_with_its_switch(browser: Client) -> None:
    page = text(browser.get(SWITCHES))
    for words in ("Internal ledger", "Stripe", "ACH", "Wire"):
        assert f"<strong>{words}</strong>" in page
    assert page.count("Not enabled here") >= 1
    assert 'id="dialog-turn_internal_ledger"' in page


def test_a_rail_is_turned_off_and_on_with_reasons_that_stay(browser: Client) -> None:
    assert "Internal ledger is off" in text(browser.post(OFF, {"reason": "month end"}, follow=True))
    assert not RailSwitch.objects.get().enabled
    assert browser.post(OFF, {"reason": "again"}).status_code == 409
    assert "Internal ledger is on" in text(browser.post(ON, {"reason": "month is closed"}, follow=True))
    assert RailSwitch.objects.get().enabled
    page = text(browser.get(SWITCHES))
    assert "Turned off: month end" in page
    assert "Turned on: month is closed" in page
    assert LogEntry.objects.count() == 2


def test_a_switch_needs_a_reason(browser: Client) -> None:
    assert browser.post(OFF, {"reason": " "}).status_code == 400
    assert not RailSwitch.objects.exists()
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("way", ["wire/on", "cash/off", "internal_ledger/up"])
def test_other_switches_can_not_be_turned(browser: Client, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert browser.post(f"{SWITCHES}turn/{way}/", {"reason": "x"}).status_code in {404, 409}
    assert not RailSwitch.objects.exists()


def test_a_rule_is_made_and_ended_with_reasons(browser: Client) -> None:
    acme, _ = recipients.put("acme", "Acme", actor="test", now=timezone.now())
    answer = browser.post(f"{RULES}new/", {**RULE, "recipient": "acme"}, follow=True)
    assert "holds from now on: Internal ledger for acme, USD from 1,000.00" in text(answer)
    rule = MethodRule.objects.get()
    assert (rule.recipient, rule.from_minor, rule.made_by_actor, rule.reason) == (acme, 100_000, "user:ona", "bank")
    assert "acme, USD from 1,000.00" in text(browser.get(RULES))
    answer = browser.post(f"{RULES}{rule.pk}/end/", {"reason": "other bank"}, follow=True)
    assert "has ended" in text(answer)
    rule.refresh_from_db()
    assert (rule.ended_by_actor, rule.ended_reason) == ("user:ona", "other bank")
    assert browser.post(f"{RULES}{rule.pk}/end/", {"reason": "again"}).status_code == 409


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"recipient": "nobody"}, "There is no such recipient"),
        ({"currency": ""}, "Choose the currency of the amount"),
        ({"lowest": "5.001"}, "USD"),
        ({"below": "999"}, "end above where they begin"),
        ({"method": "cash"}, "not one of the available choices"),
        ({"reason": ""}, "Write down the reason"),
    ],
)
def test_a_rule_that_makes_no_sense_is_told_so(browser: Client, changed: dict[str, str], told: str) -> None:
    answer = browser.post(f"{RULES}new/", {**RULE, **changed})
    assert answer.status_code in {400, 409}
    assert told in text(answer)
    assert not MethodRule.objects.exists()


def test_a_rule_that_overlaps_is_told_so(browser: Client) -> None:
    now = timezone.now()
    payments = Payments(currency="USD", lowest=Money(1, "USD"))
    rule = choosing.add(payments, "internal_ledger", reason="x", actor="x", now=now)
    answer = browser.post(f"{RULES}new/", RULE)
    assert answer.status_code == 409
    assert f"Rule {rule.pk} (Internal ledger for any recipient, USD from 0.01) holds for some" in text(answer)


def test_a_rule_that_could_never_pay_is_told_so_at_its_field(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AchRail, "is_configured", lambda rail: True)
    answer = browser.post(f"{RULES}new/", {**RULE, "currency": "EUR", "method": "ach"})
    assert answer.status_code == 409
    assert answer.context["form"].errors["currency"] == ["This rule could never pay: ACH pays in USD only."]
    assert not MethodRule.objects.exists()


@pytest.mark.parametrize("role", list(Role))
def test_only_who_manages_rails_acts_and_everybody_may_look(staff: Any, role: Role) -> None:
    rule = choosing.add(Payments(), "internal_ledger", reason="x", actor="x", now=timezone.now())
    client = logged_in(staff(role))
    allowed = Permission.MANAGE_RAILS in ROLES[role]
    for page in (SWITCHES, RULES):
        assert client.get(page).status_code == 200
    assert ('id="dialog-turn_internal_ledger"' in text(client.get(SWITCHES))) is allowed
    assert ("Add rule" in text(client.get(RULES))) is allowed
    for path in (OFF, f"{RULES}new/", f"{RULES}{rule.pk}/end/"):
        assert (client.get(path).status_code == 200) is allowed
        assert client.post(path, {"reason": ""}).status_code == (400 if allowed else 403)
    assert not RailSwitch.objects.exists()
    assert client.get(OFF, {"reason": "by a link"}).status_code != 302


def test_nobody_acts_for_another_site(staff: Any) -> None:
    client = logged_in(staff(Role.COMPLIANCE_MANAGER), csrf=True)
    assert client.post(OFF, {"reason": "x"}).status_code == 403
    assert client.post(f"{RULES}new/", RULE).status_code == 403


def test_strangers_find_nothing(staff: Any) -> None:
    client = logged_in(staff(None))
    for path in (SWITCHES, RULES, OFF, f"{RULES}new/"):
        assert client.get(path).status_code in {403, 404}
