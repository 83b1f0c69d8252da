"""Wires in the admin: what waits for the bank, its files beside it, and the bank's word taken down by dialogs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from compliance.roles import Role
from rails import destinations
from rails.models import WireAnswer, WireEntry
from rails.wire import inbox
from rails.wire.configuration import WireConfiguration
from rails.wire.rail import WireRail
from settlements import submitting
from settlements.models import MilestoneSettlement
from tests.factories import POD, a_recipient, a_user, an_intent, approve, log_in, now, settlement_of
from tests.rails.wire.bank import CREDITOR, IBAN, MONDAY, configured
from tests.rails.wire.test_inbox import CAMT054

pytestmark = pytest.mark.django_db

As = Callable[[Role], Client]


@pytest.fixture
def bank(tmp_path: Path, settings: Any) -> WireConfiguration:
    place = tmp_path / "inbox"
    place.mkdir()
    settings.WIRE = configured(tmp_path, inbox=place)
    configuration: WireConfiguration = settings.WIRE
    return configuration


@pytest.fixture
def wire(bank: WireConfiguration) -> WireEntry:
    recipient = a_recipient()
    destinations.propose(recipient.pk, [destinations.read("wire", {**CREDITOR, **IBAN})], actor="test", now=now())
    settlement = settlement_of(an_intent(recipient=recipient, payment_method="wire"), POD)
    for _ in range(2):
        approve(settlement, a_user())
    submitting.submit(WireRail(), clock=lambda: MONDAY)
    return WireEntry.objects.get(milestone_id=settlement.pk)


@pytest.fixture
def as_role() -> As:
    def log_in_as(role: Role) -> Client:
        user = User.objects.create_user(f"a-{role.value.lower().replace(' ', '-')}", is_staff=True)
        user.groups.add(Group.objects.get(name=role.value))
        return log_in(Client(), user)

    return log_in_as


def page(wire: WireEntry, name: str = "change") -> str:
    return reverse(f"admin:rails_wireentry_{name}", args=[wire.pk])


def status_of(wire: WireEntry) -> str:
    return MilestoneSettlement.objects.get(pk=wire.milestone_id).status


def test_what_waits_for_the_bank_is_a_list(wire: WireEntry, as_role: As) -> None:
    finance = as_role(Role.FINANCE)
    shown = finance.get(reverse("admin:rails_wireentry_changelist"), {"said": "waiting"}).content.decode()
    assert wire.end_to_end_id in shown
    assert "Waits" in shown
    for said in ("confirmed", "refused", "returned"):
        assert wire.end_to_end_id not in finance.get(
            reverse("admin:rails_wireentry_changelist"), {"said": said}
        ).content.decode().replace(f"said={said}", "")


def test_the_page_has_a_dialog_for_each_word_that_can_be_said(wire: WireEntry, as_role: As) -> None:
    finance = as_role(Role.FINANCE)
    shown = finance.get(page(wire)).content.decode()
    assert "dialog-confirm" in shown
    assert "dialog-refuse" in shown
    assert "dialog-take_back" not in shown
    assert "532013000" not in shown


@pytest.mark.parametrize("role", [Role.COMPLIANCE_OFFICER, Role.OPERATIONS, Role.AUDITOR])
@pytest.mark.parametrize("act", ["confirm", "refuse", "take_back"])
def test_others_may_look_and_not_act(wire: WireEntry, as_role: As, role: Role, act: str) -> None:
    client = as_role(role)
    assert "dialog-confirm" not in client.get(page(wire)).content.decode()
    answer = client.post(page(wire, act), {"bank_reference": "IMAD-1", "reason": "x"})
    assert answer.status_code == 403
    assert not WireAnswer.objects.exists()


def test_confirming_settles_and_a_second_word_is_refused(wire: WireEntry, as_role: As) -> None:
    finance = as_role(Role.FINANCE)
    answer = finance.post(
        page(wire, "confirm"), {"bank_reference": " IMAD-1 ", "reason": "on the statement"}, follow=True
    )
    assert f"Wire {wire.end_to_end_id} is confirmed under IMAD-1." in answer.content.decode()
    assert status_of(wire) == "SETTLED"
    assert finance.post(page(wire, "refuse"), {"bank_reference": "X", "reason": "y"}).status_code == 409
    assert status_of(wire) == "SETTLED"
    shown = finance.get(page(wire)).content.decode()
    assert "dialog-confirm" not in shown
    assert "dialog-take_back" in shown


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"reason": "seen"}, "Write down the bank"),
        ({"bank_reference": "   ", "reason": "seen"}, "Write down the bank"),
        ({"bank_reference": "A"}, "Write down the reason"),
        ({"bank_reference": "x" * 71, "reason": "seen"}, "at most 70"),
    ],
)
def test_a_reference_and_a_reason_are_mandatory(
    wire: WireEntry, as_role: As, given: dict[str, str], complaint: str
) -> None:
    answer = as_role(Role.FINANCE).post(page(wire, "confirm"), given)
    assert answer.status_code == 400
    assert complaint in answer.content.decode()
    assert status_of(wire) == "APPROVED"


def test_looking_changes_nothing(wire: WireEntry, as_role: As) -> None:
    finance = as_role(Role.FINANCE)
    for act in ("confirm", "refuse"):
        assert finance.get(page(wire, act)).status_code == 200
    assert not WireAnswer.objects.exists()


def test_what_the_banks_file_says_stands_in_the_dialog(wire: WireEntry, bank: WireConfiguration, as_role: As) -> None:
    assert bank.inbox is not None
    (bank.inbox / "n.xml").write_text(
        CAMT054.format(side="DBIT", status="BOOK", reference=wire.end_to_end_id).replace("70.00", "7000.00")
    )
    inbox.read(bank.inbox, whole_after=0)
    shown = as_role(Role.FINANCE).get(page(wire)).content.decode()
    assert 'value="IMAD-1"' in shown
    assert "booked: debit" in shown
    assert status_of(wire) == "APPROVED"


def test_money_comes_back_in_parts(wire: WireEntry, as_role: As) -> None:
    finance = as_role(Role.FINANCE)
    finance.post(page(wire, "confirm"), {"bank_reference": "IMAD-1", "reason": "seen"})
    back = {"bank_reference": "RTN-1", "reason": "MD07"}
    for wrong in ("7000.01", "0.001", "-1", "x"):
        assert finance.post(page(wire, "take_back"), {**back, "amount": wrong}).status_code in {400, 409}
    assert finance.post(page(wire, "take_back"), {**back, "amount": "2500.00"}).status_code == 302
    assert status_of(wire) == "SETTLED"
    assert "Returned: 2500.00 USD" in finance.get(page(wire)).content.decode()
    assert finance.post(page(wire, "take_back"), {**back, "bank_reference": "RTN-2"}).status_code == 302
    assert status_of(wire) == "RETURNED"
