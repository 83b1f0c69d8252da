"""What a provider took for its work is booked by hand, once per reference, with who and why."""

from typing import Any

import pytest
from django.test import Client

from compliance.amount_field import NOT_PLAIN
from compliance.roles import ROLES, Role
from rails import ledger
from rails.accounts import AccountCode, AccountKey
from rails.models import JournalEntry
from rails.money import Money
from settlements.permissions import Permission
from tests.compliance.conftest import logged_in

pytestmark = pytest.mark.django_db
FEE = "/admin/rails/journalentry/fee/"
LIST = "/admin/rails/journalentry/"
GIVEN = {
    "provider": "WIRE",
    "currency": "USD",
    "amount": "25.00",
    "reference": "stmt-2025-11-07/3",
    "reason": "Wire fee of November",
}


@pytest.fixture
def finance(staff: Any) -> Client:
    return logged_in(staff(Role.FINANCE))


def balance(code: AccountCode) -> Money:
    return ledger.balance(AccountKey(code, "USD"))


def test_a_fee_is_booked_once_per_reference(finance: Client) -> None:
    assert "Book fee" in finance.get(LIST).content.decode()
    first = finance.post(FEE, GIVEN, follow=True)
    assert "Fee of 25.00 USD booked as WIRE:stmt-2025-11-07/3:FEE." in first.content.decode()
    assert "Nothing to do" in finance.post(FEE, GIVEN, follow=True).content.decode()
    assert balance(AccountCode.RAIL_FEES) == Money(2_500, "USD")
    assert balance(AccountCode.BANK_ACCOUNT) == Money(-2_500, "USD")
    assert "Wire fee of November (user:" in JournalEntry.objects.get().description


def test_another_amount_under_the_reference_is_a_conflict(finance: Client) -> None:
    finance.post(FEE, GIVEN)
    answer = finance.post(FEE, {**GIVEN, "amount": "26.00"})
    assert answer.status_code == 409
    assert "with another amount" in answer.content.decode()
    assert balance(AccountCode.RAIL_FEES) == Money(2_500, "USD")


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": "0"},
        {"amount": "-1"},
        {"amount": "0.001"},
        {"amount": "NaN"},
        {"amount": "1e400"},
        {"currency": "XXX"},
        {"provider": "INTERNAL_LEDGER"},
        {"reference": ""},
        {"reference": "a\nb"},
        {"reason": " "},
    ],
)
def test_what_is_no_fee_is_told_so(finance: Client, wrong: dict[str, str]) -> None:
    assert finance.post(FEE, {**GIVEN, **wrong}).status_code == 400
    assert not JournalEntry.objects.exists()


@pytest.mark.parametrize("written", ["1e5", " 5 ", "5 ", "+5", "٥", "1_000", "1,000", "0x5", "5.", ".5", "-5"])
def test_an_amount_is_written_in_plain_digits(finance: Client, written: str) -> None:
    answer = finance.post(FEE, {**GIVEN, "amount": written})
    assert answer.status_code == 400
    assert answer.context["form"].errors["amount"] == [NOT_PLAIN]
    assert not JournalEntry.objects.exists()


def test_nobody_is_taken_for_the_one_who_took_the_fee(finance: Client) -> None:
    form = finance.get(FEE).context["form"]
    assert form.fields["provider"].choices[0][0] == ""
    assert finance.post(FEE, {**GIVEN, "provider": ""}).context["form"].errors["provider"] == [
        "Choose whose statement it is on."
    ]


@pytest.mark.parametrize("role", list(Role))
def test_only_who_handles_bank_files_books_fees(staff: Any, role: Role) -> None:
    client = logged_in(staff(role))
    allowed = Permission.HANDLE_BANK_FILES in ROLES[role]
    assert ("Book fee" in client.get(LIST).content.decode()) is allowed
    assert client.post(FEE, GIVEN).status_code == (302 if allowed else 403)
    assert JournalEntry.objects.exists() is allowed
