"""The work list in the admin: who sees it, who acts, what each act needs, and what the second officer is told."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from compliance import roles
from compliance.roles import ROLES, Role
from compliance.work_acts import WORK_ACTS
from rails.base import RailOutcome
from rails.models import RailNotice, Recipient
from rails.money import Money
from settlements.models import Approval, MilestoneSettlement
from settlements.permissions import Permission
from settlements.statuses import SettlementStatus as S
from tests.factories import a_user, log_in, version_of
from tests.flows.pretend_provider import PretendProvider, a_payable_recipient, notice, pretend_provider
from tests.flows.resolving import attempt_of, back_twice, failed, in_question, kept, overpaid, paid, releasing, tell

pytestmark = pytest.mark.django_db
LIST = reverse("admin:compliance_work_list")
SMALL = {"amount": Decimal("1000")}


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendProvider]:
    with pretend_provider(monkeypatch) as pretended:
        yield pretended


@pytest.fixture
def recipient(provider: PretendProvider) -> Recipient:
    return a_payable_recipient()


def as_role(role: Role) -> Client:
    roles.install()
    user = a_user()
    user.groups.add(Group.objects.get(name=role.value))
    return log_in(Client(), user)


@pytest.fixture
def officer() -> Client:
    return as_role(Role.COMPLIANCE_OFFICER)


def at(settlement: MilestoneSettlement, act: str = "") -> str:
    return f"{LIST}{settlement.pk}/{act}/" if act else f"{LIST}{settlement.pk}/"


def page(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200, response.status_code
    return response.content.decode()


def fields(settlement: MilestoneSettlement, **others: object) -> dict[str, object]:
    return {"reason": "the bank says so", "version": version_of(settlement.pk), "number": 1, **others}


def work(provider: PretendProvider, recipient: Recipient) -> dict[str, MilestoneSettlement]:
    """A payment for each act."""
    partly, odd = paid(provider, recipient), paid(provider, recipient)
    tell(notice(RailOutcome.RETURNED, partly.reference, amount=Money(100, "USD")))
    tell(notice(RailOutcome.REFUSED, odd.reference, source="evt_odd"))
    made = {name: failed(provider, recipient, **SMALL) for name in ("retry", "elsewhere", "write_off")}
    made |= {name: in_question(provider, recipient) for name in ("look_again", "record_accepted", "record_refused")}
    made |= {"recovered": kept(provider, recipient), "leave": overpaid(provider, recipient)}
    made["repaid"] = back_twice(provider, recipient)
    return {**made, "withdraw": releasing(recipient), "close_contradiction": odd, "close_return": partly}


@pytest.mark.parametrize("role", Role)
def test_every_act_by_every_role_needs_the_permission(
    provider: PretendProvider, recipient: Recipient, role: Role
) -> None:
    payments, client = work(provider, recipient), as_role(role)
    assert set(payments) == set(WORK_ACTS)
    page(client, LIST)
    allowed = Permission.RESOLVE_PAYMENT in ROLES[role]
    for name, settlement in payments.items():
        shown = page(client, at(settlement))
        assert (f'data-dialog="dialog-{name}"' in shown) is allowed
        about = 100 if name == "close_return" else RailNotice.objects.get(source="evt_odd").pk
        sent = client.post(
            at(settlement, name), fields(settlement, method="internal_ledger", reference=f"tr_{name}", about=about)
        )
        assert sent.status_code == (302 if allowed else 403), name


def test_nothing_is_done_by_looking_or_without_a_reason(
    provider: PretendProvider, recipient: Recipient, officer: Client
) -> None:
    for name, settlement in work(provider, recipient).items():
        before = settlement.status
        page(officer, at(settlement, name))
        refused = officer.post(at(settlement, name), fields(settlement, reason=" "))
        assert refused.status_code == 400
        settlement.refresh_from_db()
        assert settlement.status == before


def test_strangers_are_led_to_the_login(client: Client) -> None:
    assert client.get(LIST).status_code == 302


def test_the_list_names_kind_last_word_and_next_step(
    provider: PretendProvider, recipient: Recipient, officer: Client
) -> None:
    settlement = failed(provider, recipient, **SMALL)
    shown = page(officer, LIST)
    for words in ("The account is closed", "Nothing moved.", f"milestone {settlement.pk}", recipient.recipient_id):
        assert words in shown
    assert "fits these filters" in page(officer, f"{LIST}?kind=RETURNED")
    assert f"milestone {settlement.pk}" in page(officer, f"{LIST}?kind=FAILED&rail=stripe&currency=USD")


@pytest.mark.parametrize("query", ["kind=x", "rail=pigeon", "currency=usd", "age=2"])
def test_a_filter_that_can_not_be_read_is_said_so(officer: Client, query: str) -> None:
    response = officer.get(f"{LIST}?{query}")
    assert response.status_code == 400
    assert "Show the whole list" in response.content.decode()


@pytest.mark.parametrize("number", ["0", "-1", "x", "9" * 30, "7", "²"])
def test_any_page_number_leads_to_a_page(officer: Client, number: str) -> None:
    assert officer.get(LIST, {"page": number}).status_code in {200, 302}


def test_an_item_shows_attempts_words_and_a_masked_destination(
    provider: PretendProvider, recipient: Recipient, officer: Client
) -> None:
    settlement = failed(provider, recipient, **SMALL)
    shown = page(officer, at(settlement))
    for words in ("Attempts at providers", "The account is closed", "Nothing is booked of it.", "Next step:"):
        assert words in shown
    assert officer.get(f"{LIST}987654/").status_code == 404


def test_a_retry_sends_it_out_again_and_the_second_officer_is_told(
    provider: PretendProvider, recipient: Recipient, officer: Client
) -> None:
    settlement = failed(provider, recipient, **SMALL)
    seen = fields(settlement)
    assert officer.post(at(settlement, "retry"), seen).status_code == 302
    settlement.refresh_from_db()
    assert (settlement.status, attempt_of(settlement).number) == (S.RELEASING, 2)
    late = as_role(Role.COMPLIANCE_OFFICER).post(at(settlement, "retry"), seen)
    assert late.status_code == 409
    assert "it is releasing" in late.content.decode()
    assert "the bank says so" in late.content.decode()
    assert Approval.objects.count() == 1


def test_an_officer_who_may_not_approve_is_told_before(provider: PretendProvider, recipient: Recipient) -> None:
    roles.install()
    creator = a_user()
    creator.groups.add(Group.objects.get(name=Role.COMPLIANCE_OFFICER.value))
    settlement = failed(provider, recipient, creator=creator, **SMALL)
    client = log_in(Client(), creator)
    shown = page(client, at(settlement))
    assert "You created this payment intent" in shown
    assert client.post(at(settlement, "retry"), fields(settlement)).status_code == 403


def test_the_sidebar_counts_it(provider: PretendProvider, recipient: Recipient, officer: Client) -> None:
    failed(provider, recipient, **SMALL)
    assert "Work list" in page(officer, "/admin/")
