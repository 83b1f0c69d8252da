"""What a person does next, in words."""

import pytest

from rails.ach.returns import RETURNS
from rails.base import SettlementProvider
from settlements import next_steps
from settlements.statuses import BankWorkKind, WorkKind

ACH = SettlementProvider.ACH


@pytest.mark.parametrize("kind", WorkKind)
@pytest.mark.parametrize("provider", [None, *SettlementProvider])
def test_there_is_one_for_every_kind_and_rail(kind: WorkKind, provider: SettlementProvider | None) -> None:
    step = next_steps.after(kind, provider=provider, words="No account")
    assert step.endswith(".")


@pytest.mark.parametrize("code", RETURNS)
def test_of_ach_it_is_what_the_banks_code_asks_for(code: str) -> None:
    words = str(RETURNS[code])
    assert next_steps.after(WorkKind.RETURNED, provider=ACH, words=words).endswith(RETURNS[code].follow_up.value)
    assert next_steps.wants_destination(ACH, words) is RETURNS[code].follow_up.stops_destination


@pytest.mark.parametrize("words", ["", "R9", "R999 x", "XR03 No account", "r03 no account", "R99 unheard of"])
def test_what_is_no_code_of_a_bank_says_nothing_special(words: str) -> None:
    assert next_steps.after(WorkKind.RETURNED, provider=ACH, words=words).startswith("The money came back.")


def test_a_code_of_a_bank_means_nothing_at_stripe() -> None:
    assert not next_steps.wants_destination(SettlementProvider.STRIPE, "R03 No account")


@pytest.mark.parametrize("kind", BankWorkKind)
@pytest.mark.parametrize("provider", [SettlementProvider.ACH, SettlementProvider.WIRE])
def test_there_is_one_for_every_kind_of_work_about_the_banks_files(
    kind: BankWorkKind, provider: SettlementProvider
) -> None:
    step = next_steps.of_bank(kind, provider)
    assert step.endswith(".")
    assert ("does not count as settled" in step) is (kind is BankWorkKind.INBOX and provider is SettlementProvider.ACH)
