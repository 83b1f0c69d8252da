import pytest
from django.db import DatabaseError

from rails import registry, switches
from rails.base import Instruction, OutcomeUnknown, SettlementProvider, SettlementResult
from rails.internal.rail import InternalLedgerRail
from rails.models import RailSwitch
from rails.money import Money
from rails.registry import RailNotEnabled, UnknownRail
from rails.switches import SwitchWithoutReason
from tests.rails.rail_contract import NOW

LEDGER = SettlementProvider.INTERNAL_LEDGER


def test_the_internal_ledger_is_the_one_enabled_method() -> None:
    assert registry.enabled_methods() == ["internal_ledger"]
    assert isinstance(registry.rail_for(method="internal_ledger"), InternalLedgerRail)


@pytest.mark.parametrize("method", ["stripe", "ach", "wire"])
def test_a_known_method_without_a_rail_says_that_it_is_not_enabled(method: str) -> None:
    with pytest.raises(RailNotEnabled, match=f"Payment method {method} is not enabled") as refusal:
        registry.rail_for(method=method)
    assert refusal.value.code == "payment_method_not_enabled"


@pytest.mark.parametrize("method", ["INTERNAL_LEDGER", "Stripe", "", "cash", " wire", None, 1, ["wire"]])
def test_any_other_word_is_unknown(method: object) -> None:
    with pytest.raises(UnknownRail, match="internal_ledger, stripe, ach, wire") as refusal:
        registry.rail_for(method=method)
    assert refusal.value.code == "payment_method_unknown"


def test_every_rail_answers_for_the_provider_it_is_registered_under() -> None:
    for provider in SettlementProvider:
        if registry.is_implemented(provider=provider):
            assert registry.rail_of(provider=provider).get_provider() is provider


@pytest.mark.django_db
class TestSwitches:
    def test_a_rail_nobody_touched_is_on_if_it_exists(self) -> None:
        assert switches.is_on(providers=SettlementProvider) == {
            provider: provider is LEDGER for provider in SettlementProvider
        }

    def test_a_rail_goes_off_and_on_with_a_reason_and_an_actor(self) -> None:
        switches.turn_off(provider=LEDGER, reason="Month end", actor="ops1", now=NOW)
        assert switches.is_on(providers=[LEDGER]) == {LEDGER: False}
        switches.turn_on(provider=LEDGER, reason="Closed", actor="manager1", now=NOW)
        assert switches.is_on(providers=[LEDGER]) == {LEDGER: True}
        switch = RailSwitch.objects.get()
        assert (switch.reason, switch.actor, switch.changed_at) == ("Closed", "manager1", NOW)

    @pytest.mark.parametrize(("reason", "actor"), [("", "ops1"), ("  ", "ops1"), ("Month end", "")])
    def test_a_switch_is_not_turned_without_reason_or_actor(self, reason: str, actor: str) -> None:
        with pytest.raises(SwitchWithoutReason):
            switches.turn_off(provider=LEDGER, reason=reason, actor=actor, now=NOW)
        assert not RailSwitch.objects.exists()

    def test_a_rail_that_does_not_exist_is_not_turned_on(self) -> None:
        with pytest.raises(RailNotEnabled):
            switches.turn_on(provider=SettlementProvider.WIRE, reason="Hope", actor="ops1", now=NOW)

    @pytest.mark.parametrize("change", [{"rail": "CASH"}, {"reason": ""}, {"actor": ""}])
    def test_the_database_refuses_a_switch_without_its_facts(self, change: dict[str, str]) -> None:
        values = {"rail": "WIRE", "reason": "Month end", "actor": "ops1", **change}
        with pytest.raises(DatabaseError):
            RailSwitch.objects.create(enabled=False, changed_at=NOW, **values)


class TestTheWordsOfTheContract:
    def test_methods_are_lower_case_and_providers_upper_case(self) -> None:
        assert [provider.value for provider in SettlementProvider] == ["INTERNAL_LEDGER", "STRIPE", "ACH", "WIRE"]
        assert [provider.method for provider in SettlementProvider] == ["internal_ledger", "stripe", "ach", "wire"]

    @pytest.mark.parametrize("minor", [0, -1])
    def test_an_instruction_moves_something(self, minor: int) -> None:
        with pytest.raises(ValueError, match="moves more than"):
            Instruction(milestone_id=1, amount=Money(minor, "USD"))

    def test_attempts_are_counted_from_one(self) -> None:
        with pytest.raises(ValueError, match="counted from 1"):
            Instruction(milestone_id=1, amount=Money(1, "USD"), attempt_number=0)

    def test_a_result_can_not_be_changed(self) -> None:
        result = SettlementResult.refused(LEDGER, error="no")
        with pytest.raises(AttributeError):
            result.success = True  # type: ignore[misc]

    def test_not_knowing_names_the_milestone(self) -> None:
        assert "milestone 17" in str(OutcomeUnknown(SettlementProvider.STRIPE, 17, "timed out"))
