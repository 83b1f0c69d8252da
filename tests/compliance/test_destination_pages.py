"""Where a recipient is paid, in the admin: proposed by one, confirmed by another, found by its number, never shown."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from compliance.destination_acts import OF_DESTINATION, OF_RECIPIENT
from compliance.roles import ROLES, Role
from rails import destinations, recipients
from rails.models import Destination, Recipient, RecipientEdit
from tests.compliance.conftest import logged_in
from tests.rails.test_routing import ACH, FEDWIRE, WIRE

pytestmark = pytest.mark.django_db
NUMBER, CHANGED = "12345678901234567", "99887766554433"
FORM = {**ACH, "account_number_again": NUMBER, "reason": "onboarding papers"}
OTHER = {**FORM, "account_number": CHANGED, "account_number_again": CHANGED, "reason": "called them"}


@pytest.fixture
def acme() -> Recipient:
    recipient, _ = recipients.put("acme", "Acme Haulage", actor="test", now=timezone.now())
    return recipient


@pytest.fixture
def in_force(acme: Recipient) -> Destination:
    return destinations.propose(acme.pk, [destinations.read("ach", ACH)], actor="test", now=timezone.now())[0]


@pytest.fixture
def change(in_force: Destination, ona: User) -> Destination:
    """Ona proposed another account."""
    details = destinations.read("ach", {**ACH, "account_number": CHANGED})
    return destinations.propose(
        in_force.recipient_id, [details], actor="user:ona", user=ona, reason="their mail", now=timezone.now()
    )[0]


def of(row: Recipient | Destination | RecipientEdit, page: str = "change") -> str:
    return f"/admin/rails/{row._meta.model_name}/{row.pk}/{page}/"


def text(answer: Any) -> str:
    return str(answer.content.decode())


def everything() -> list[Any]:
    return [list(model.objects.order_by("pk").values()) for model in (Recipient, RecipientEdit, Destination)]


class TestProposing:
    def test_the_first_is_in_use_at_once(self, acme: Recipient, browser: Client, ona: User) -> None:
        answer = browser.post(of(acme, "set_ach"), FORM, follow=True)
        assert "in use at once" in text(answer)
        made = Destination.objects.get()
        assert (made.state, made.proposed_by, made.proposed_reason) == ("ACTIVE", ona, "onboarding papers")
        assert destinations.account_number(made) == NUMBER

    def test_a_change_waits_and_is_listed(self, in_force: Destination, browser: Client) -> None:
        answer = browser.post(of(in_force.recipient, "set_ach"), OTHER, follow=True)
        assert "Another person confirms it" in text(answer)
        listed = text(browser.get("/admin/rails/destination/?state=PROPOSED"))
        assert "checking account ••4433" in listed
        assert ">1</" in listed[listed.index("Destinations to confirm") :][:600]

    @pytest.mark.parametrize(
        ("rail", "given"),
        [
            ("stripe", {"account": "acct_1032D82eZvKYlo2C"}),
            ("wire", WIRE),
            ("wire", {**FEDWIRE, "account_number_again": FEDWIRE["account_number"]}),
        ],
    )
    def test_every_rail_has_its_form(self, acme: Recipient, browser: Client, rail: str, given: dict[str, str]) -> None:
        answer = browser.post(of(acme, f"set_{rail}"), {**given, "reason": "papers"})
        assert answer.status_code == 302, text(answer)
        assert Destination.objects.get().rail == rail

    @pytest.mark.parametrize(
        ("changed", "told"),
        [
            ({"routing_number": "021000022"}, "Routing number must be an ABA routing number"),
            ({"account_number_again": "1"}, "The two numbers differ"),
            ({"holder_name": ""}, "This field is required"),
            ({"account_type": "loan"}, "not one of the available choices"),
            ({"reason": " "}, "Write down the reason"),
        ],
    )
    def test_what_is_wrong_is_told_at_its_field_and_no_number_comes_back(
        self, acme: Recipient, browser: Client, changed: dict[str, str], told: str
    ) -> None:
        before = everything()
        answer = browser.post(of(acme, "set_ach"), {**FORM, **changed})
        assert answer.status_code == 400
        assert told in text(answer)
        assert NUMBER not in text(answer)
        assert "BOZZA HAULAGE LLC" in text(answer) or "holder_name" in changed
        assert everything() == before

    def test_repeating_it_is_told(self, in_force: Destination, browser: Client) -> None:
        answer = browser.post(of(in_force.recipient, "set_ach"), FORM)
        assert answer.status_code == 409
        assert "in force or proposed already" in text(answer)

    def test_the_form_is_filled_with_what_there_is_but_the_number(self, in_force: Destination, browser: Client) -> None:
        page = text(browser.get(of(in_force.recipient, "set_ach")))
        assert 'value="021000021"' in page
        assert "••4567" in page
        assert NUMBER not in page

    def test_a_number_does_not_wait_in_the_session_for_a_password(
        self, acme: Recipient, browser: Client, settings: Any
    ) -> None:
        settings.CHAINPAY_RECENT_LOGIN_MINUTES = 0
        answer = browser.post(of(acme, "set_ach"), FORM)
        assert answer.status_code == 302
        assert "/admin/" in answer["Location"]
        kept = [session.get_decoded() for session in Session.objects.all()]
        assert "BOZZA" in str(kept)
        assert NUMBER not in str(kept)


class TestDeciding:
    def test_another_person_confirms(self, change: Destination, officer: User) -> None:
        client = logged_in(officer)
        page = text(client.get(of(change)))
        assert "their mail" in page
        assert "••4567" in page
        answer = client.post(of(change, "confirm"), {"reason": "called", "number": ""}, follow=True)
        assert "Destination confirmed; it is usable from" in text(answer)
        assert destinations.get(change.pk).confirmed_by == officer

    def test_who_proposed_it_is_told_that_they_may_not(self, change: Destination, staff: Any) -> None:
        manager = staff(Role.COMPLIANCE_MANAGER)
        own = destinations.propose(
            change.recipient_id,
            [destinations.read("ach", {**ACH, "account_number": "5544332211"})],
            actor=f"user:{manager.username}",
            user=manager,
            now=timezone.now(),
        )[0]
        client = logged_in(manager)
        page = text(client.get(of(own)))
        assert "another person confirms it" in page
        assert 'id="dialog-confirm"' not in page
        answer = client.post(of(own, "confirm"), {"reason": "mine", "number": ""})
        assert answer.status_code == 403
        assert destinations.get(own.pk).state == "PROPOSED"
        taken_back = client.post(of(own, "withdraw"), {"reason": "a slip"}, follow=True)
        assert "Proposal rejected" in text(taken_back)

    def test_a_superuser_does_not_confirm_their_own_either(self, in_force: Destination, staff: Any) -> None:
        root = staff(None, is_superuser=True)
        client = logged_in(root)
        client.post(of(in_force.recipient, "set_ach"), OTHER)
        own = Destination.objects.get(state="PROPOSED")
        assert client.post(of(own, "confirm"), {"reason": "mine", "number": ""}).status_code == 403
        assert destinations.get(own.pk).state == "PROPOSED"

    def test_a_number_that_is_compared_must_be_the_proposed_one(self, change: Destination, officer: User) -> None:
        client = logged_in(officer)
        answer = client.post(of(change, "confirm"), {"reason": "called", "number": NUMBER})
        assert answer.status_code == 400
        assert "not the number that was proposed" in text(answer)
        assert NUMBER not in text(answer)
        assert client.post(of(change, "confirm"), {"reason": "called", "number": CHANGED}).status_code == 302

    def test_whether_the_number_was_compared_is_written_down(self, change: Destination, officer: User) -> None:
        assert logged_in(officer).post(of(change, "confirm"), {"reason": "called", "number": ""}).status_code == 302
        assert RecipientEdit.objects.order_by("-pk")[0].reason == "called (number not compared)"

    def test_a_rejection_says_whether_the_one_before_is_paid_to(self, change: Destination, officer: User) -> None:
        before = Destination.objects.get(recipient=change.recipient, rail=change.rail, state="ACTIVE")
        destinations.block(before.pk, notice="R02", actor="bank:ach", now=timezone.now())
        answer = logged_in(officer).post(of(change, "reject"), {"reason": "they know nothing of it"}, follow=True)
        assert "is not paid to yet: a payment came back (R02)" in text(answer)

    def test_a_proposal_is_rejected_with_a_reason(self, change: Destination, officer: User) -> None:
        client = logged_in(officer)
        assert client.post(of(change, "reject"), {"reason": ""}).status_code == 400
        assert client.post(of(change, "reject"), {"reason": "they know nothing of it"}).status_code == 302
        assert destinations.get(change.pk).ended_reason == "they know nothing of it"
        again = client.post(of(change, "confirm"), {"reason": "late", "number": ""})
        assert again.status_code == 409

    def test_one_in_force_is_closed(self, in_force: Destination, browser: Client) -> None:
        answer = browser.post(of(in_force, "close"), {"reason": "account closed"}, follow=True)
        assert "destination closed" in text(answer)
        assert destinations.get(in_force.pk).state == "CLOSED"

    def test_a_notification_that_proposes_nothing_is_dealt_with(self, in_force: Destination, officer: User) -> None:
        destinations.block(in_force.pk, notice="C04", actor="bank:ach", now=timezone.now())
        client = logged_in(officer)
        for page in (of(in_force), of(in_force.recipient), "/admin/rails/destination/"):
            shown = text(client.get(page))
            assert '<span class="cp-tag cp-alarm">Blocked: Notification of change C04</span>' in shown
            assert '<span class="cp-tag cp-low">Active</span>' not in shown
        client.post(of(in_force, "unblock"), {"reason": "the name is right"})
        assert destinations.get(in_force.pk).blocked == ""

    def test_a_return_is_not_called_a_notification_of_change(self, in_force: Destination, officer: User) -> None:
        destinations.block(in_force.pk, notice="R03", actor="bank:ach", now=timezone.now())
        shown = text(logged_in(officer).get(of(in_force)))
        assert "Blocked: Return R03" in shown
        assert "otification of change" not in shown
        assert "otification of change" not in text(logged_in(officer).get(of(in_force, "unblock")))

    def test_the_account_of_somebody_else_is_pointed_out(self, change: Destination, officer: User) -> None:
        other, _ = recipients.put("mallory", "Mallory", actor="test", now=timezone.now())
        details = destinations.read("ach", {**ACH, "account_number": CHANGED})
        destinations.propose(other.pk, [details], actor="test", now=timezone.now())
        assert "mallory" in text(logged_in(officer).get(of(change)))


class TestPayouts:
    def test_they_are_stopped_and_allowed_with_a_reason(self, acme: Recipient, browser: Client) -> None:
        browser.post(of(acme, "payouts_off"), {"reason": "police asked"})
        acme.refresh_from_db()
        assert not acme.payouts_enabled
        edit = RecipientEdit.objects.latest("pk")
        assert (edit.changes, edit.reason, edit.actor) == (
            {"payouts_enabled": [True, False]},
            "police asked",
            "user:ona",
        )
        assert browser.post(of(acme, "payouts_off"), {"reason": "again"}).status_code == 409
        browser.post(of(acme, "payouts_on"), {"reason": "cleared"})
        acme.refresh_from_db()
        assert acme.payouts_enabled


class TestFinding:
    def test_a_whole_number_finds_whose_it_is(self, change: Destination, browser: Client) -> None:
        answer = browser.post("/admin/rails/destination/find/", {"number": CHANGED})
        assert "acme" in text(answer)
        assert "••4433" in text(answer)
        assert CHANGED not in text(answer)
        assert answer["Cache-Control"] == "no-store"

    @pytest.mark.parametrize("number", ["4433", "9988776655443", "0"])
    def test_a_part_of_one_finds_nobody(self, change: Destination, browser: Client, number: str) -> None:
        assert "No recipient has or had this account" in text(
            browser.post("/admin/rails/destination/find/", {"number": number})
        )

    def test_an_address_finds_nothing(self, change: Destination, browser: Client) -> None:
        assert "No recipient" not in text(browser.get("/admin/rails/destination/find/", {"number": CHANGED}))


ACTS = [("recipient", act) for act in OF_RECIPIENT] + [("destination", act) for act in OF_DESTINATION]


@pytest.mark.parametrize(("kind", "act"), ACTS, ids=[act.name for _, act in ACTS])
@pytest.mark.parametrize("role", list(Role))
def test_only_roles_with_the_permission_find_the_act_and_may_do_it(
    change: Destination, staff: Any, role: Role, kind: str, act: Any
) -> None:
    row = change.recipient if kind == "recipient" else change
    client = logged_in(staff(role))
    allowed = act.permission in ROLES[role]
    page = text(client.get(of(row)))
    assert (f'id="dialog-{act.name}"' in page) <= allowed
    before = everything()
    for answer in (client.get(of(row, act.name)), client.post(of(row, act.name), {"reason": ""})):
        assert (answer.status_code != 403) is allowed
    assert everything() == before


@pytest.mark.parametrize(("kind", "act"), ACTS, ids=[act.name for _, act in ACTS])
def test_looking_never_acts_and_nobody_acts_for_another_site(
    change: Destination, staff: Any, kind: str, act: Any
) -> None:
    row = change.recipient if kind == "recipient" else change
    manager = staff(Role.COMPLIANCE_MANAGER)
    before = everything()
    logged_in(manager).get(of(row, act.name), {**FORM, "number": ""})
    assert logged_in(manager, csrf=True).post(of(row, act.name), {**FORM, "number": ""}).status_code == 403
    assert everything() == before


def test_no_page_has_a_number_in_it(change: Destination, staff: Any) -> None:
    client = logged_in(staff(None, is_superuser=True))
    pages = [
        of(change), of(change.recipient), "/admin/rails/destination/", "/admin/rails/recipientedit/",
        "/admin/rails/recipient/", of(RecipientEdit.objects.latest("pk")),
    ]  # fmt: skip
    for page in pages:
        shown = text(client.get(page))
        assert not [secret for secret in (NUMBER, CHANGED, change.sealed, change.fingerprint) if secret in shown], page
