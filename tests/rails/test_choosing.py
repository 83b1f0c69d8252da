"""The table of default payment methods: the most specific rule chooses, and no two can."""

from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from rails import choosing, recipients, registry
from rails.base import PaymentRail, SettlementProvider
from rails.choosing import Choice, Payments, RuleRefused
from rails.internal.rail import InternalLedgerRail
from rails.models import MethodRule, Recipient
from rails.money import MAX_MINOR, Money
from rails.wire.rail import WireRail
from tests.rails.rail_contract import NOW
from tests.rails.test_ledger import at_once

pytestmark = pytest.mark.django_db


class Enabled(InternalLedgerRail):
    """A rail of this name that is set up, and can pay what it really can; what it does is of no concern here."""

    def __init__(self, provider: SettlementProvider, really: PaymentRail) -> None:
        self.provider = provider
        self.really = really

    def get_provider(self) -> SettlementProvider:
        return self.provider

    def cannot_pay_in(self, currency: str) -> str:
        return "" if self.provider is SettlementProvider.WIRE else self.really.cannot_pay_in(currency)

    def step(self, currency: str) -> int:
        return self.really.step(currency)


@pytest.fixture(autouse=True)
def _methods(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them are enabled."""
    for provider, rail in list(registry._RAILS.items()):
        monkeypatch.setitem(registry._RAILS, provider, Enabled(provider, rail))


@pytest.fixture
def acme() -> Recipient:
    return recipients.put("acme-haulage", "Acme", actor="demo", now=NOW)[0]


def usd(major: int) -> Money:
    return Money(major * 100, "USD")


def add(method: str, **payments: Any) -> MethodRule:
    return choosing.add(Payments(**payments), method, reason="agreed", actor="user:ann", now=NOW)


def test_without_rules_it_is_the_internal_ledger(acme: Recipient) -> None:
    assert choosing.choose(acme.pk, usd(5)) == Choice(method="internal_ledger")
    assert choosing.choose(None, usd(5)) == Choice(method="internal_ledger")


def test_the_most_specific_rule_chooses(acme: Recipient) -> None:
    anything = add("stripe")
    dollars = add("ach", currency="USD")
    for_acme = add("internal_ledger", recipient_pk=acme.pk)
    large = add("wire", recipient_pk=acme.pk, currency="USD", lowest=usd(1_000))
    chosen = {
        "anybody, euros": choosing.choose(None, Money(500, "EUR")),
        "anybody, dollars": choosing.choose(None, usd(5_000)),
        "acme, euros": choosing.choose(acme.pk, Money(500, "EUR")),
        "acme, a few dollars": choosing.choose(acme.pk, usd(999)),
        "acme, many dollars": choosing.choose(acme.pk, usd(1_000)),
    }
    assert {name: choice.rule_id for name, choice in chosen.items()} == {
        "anybody, euros": anything.pk,
        "anybody, dollars": dollars.pk,
        "acme, euros": for_acme.pk,
        "acme, a few dollars": for_acme.pk,
        "acme, many dollars": large.pk,
    }
    assert chosen["acme, many dollars"].method == "wire"


def test_amounts_begin_with_the_first_and_end_before_the_last() -> None:
    small, large = add("ach", currency="USD", below=usd(100)), add("wire", currency="USD", lowest=usd(100))
    assert choosing.choose(None, Money(9_999, "USD")).rule_id == small.pk
    assert choosing.choose(None, usd(100)).rule_id == large.pk


def test_a_rule_that_ended_chooses_no_more_and_its_place_is_free() -> None:
    rule = add("ach", currency="USD")
    ended = choosing.end(rule.pk, reason="bank changed", actor="user:ben", now=NOW)
    assert (ended.ended_by_actor, ended.ended_reason) == ("user:ben", "bank changed")
    assert choosing.choose(None, usd(1)).rule_id is None
    add("wire", currency="USD")
    with pytest.raises(RuleRefused, match="ended already"):
        choosing.end(rule.pk, reason="again", actor="user:ben", now=NOW)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {}),
        ({"currency": "USD"}, {"currency": "USD", "lowest": usd(5)}),
        ({"currency": "USD", "below": usd(5)}, {"currency": "USD", "lowest": usd(4), "below": usd(9)}),
    ],
)
def test_rules_that_hold_do_not_overlap(one: dict[str, Any], other: dict[str, Any]) -> None:
    rule = add("ach", **one)
    with pytest.raises(RuleRefused) as refusal:
        add("wire", **other)
    assert str(refusal.value).startswith(f"Rule {rule.pk} ({choosing.in_words(rule)}) holds for some of these payments")


def test_the_rule_in_the_way_is_the_one_that_is_named() -> None:
    add("ach", currency="USD", below=usd(10))
    in_the_way = add("ach", currency="USD", lowest=usd(10), below=usd(20))
    add("ach", currency="USD", lowest=usd(20))
    with pytest.raises(RuleRefused, match=rf"^Rule {in_the_way.pk} "):
        add("wire", currency="USD", lowest=usd(10), below=usd(11))


def test_rules_of_others_do_not_overlap_with_them(acme: Recipient) -> None:
    bozza, _ = recipients.put("bozza", "Bozza", actor="demo", now=NOW)
    for recipient in (acme, bozza):
        for currency in ("", "USD", "EUR"):
            add("stripe", recipient_pk=recipient.pk, currency=currency)
    assert MethodRule.objects.count() == 6


@pytest.mark.parametrize(
    ("payments", "field"),
    [
        ({"lowest": usd(5)}, "currency"),
        ({"currency": "XXX"}, "currency"),
        ({"currency": "EUR", "lowest": usd(5)}, "lowest"),
        ({"currency": "USD", "lowest": usd(5), "below": usd(5)}, "below"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(payments: dict[str, Any], field: str) -> None:
    with pytest.raises(RuleRefused) as refusal:
        add("ach", **payments)
    assert refusal.value.field == field


def fils(minor: int) -> Money:
    return Money(minor, "KWD")


# Method, payments, and for one that could never pay the field at fault, the reason and the database's word for it.
MOST = Money(MAX_MINOR["USD"], "USD")
BEYOND = Money(MAX_MINOR["USD"] + 1, "USD")
PAYABLE: list[tuple[str, dict[str, Any]]] = [
    ("ach", {}),
    ("ach", {"currency": "USD"}),
    ("ach", {"currency": "USD", "lowest": usd(100_000_000)}),
    ("wire", {"currency": "USD", "below": Money(2, "USD")}),
    ("wire", {"currency": "USD", "lowest": MOST}),
    ("wire", {"currency": "JPY", "below": Money(2, "JPY")}),
    ("internal_ledger", {"currency": "KWD", "below": fils(2)}),
    ("stripe", {"currency": "KWD", "below": fils(11)}),
    ("stripe", {"currency": "KWD", "lowest": fils(10), "below": fils(11)}),
    ("stripe", {"currency": "KWD", "lowest": fils(11), "below": fils(21)}),
    ("stripe", {"currency": "USD", "lowest": Money(11, "USD"), "below": Money(12, "USD")}),
]
NEVER: list[tuple[str, dict[str, Any], str, str, str]] = [
    ("ach", {"currency": "EUR"}, "currency", "ACH pays in USD only", "ach_is_a_default_for_dollars_alone"),
    ("ach", {"currency": "JPY"}, "currency", "ACH pays in USD only", "ach_is_a_default_for_dollars_alone"),
    (
        "wire",
        {"currency": "USD", "below": Money(1, "USD")},
        "below",
        "steps of 0.01 USD",
        "amounts_of_a_rule_can_occur",
    ),
    ("wire", {"currency": "JPY", "below": Money(1, "JPY")}, "below", "steps of 1 JPY", "amounts_of_a_rule_can_occur"),
    ("wire", {"currency": "USD", "lowest": BEYOND}, "lowest", "no payment is of more", "amounts_of_a_rule_can_occur"),
    (
        "stripe",
        {"currency": "KWD", "below": fils(10)},
        "below",
        "steps of 0.010 KWD",
        "stripe_is_a_default_for_amounts_in_its_steps",
    ),
    (
        "stripe",
        {"currency": "KWD", "lowest": fils(11), "below": fils(20)},
        "below",
        "steps of 0.010 KWD",
        "stripe_is_a_default_for_amounts_in_its_steps",
    ),
]


def directly(method: str, payments: dict[str, Any], **over: Any) -> MethodRule:
    """Past everything that Python says."""
    amounts = {f"{name}_minor": payments[given].minor for name, given in _AMOUNTS if given in payments}
    return MethodRule.objects.create(
        currency=payments.get("currency", ""), method=method, made_by_actor="x", made_at=NOW, reason="x",
        **amounts, **over,
    )  # fmt: skip


_AMOUNTS = (("from", "lowest"), ("below", "below"))


@pytest.mark.parametrize(("method", "payments"), PAYABLE)
def test_a_rule_that_can_pay_something_is_made(method: str, payments: dict[str, Any]) -> None:
    rule = add(method, **payments)
    choosing.end(rule.pk, reason="over", actor="user:ann", now=NOW)
    directly(method, payments)


@pytest.mark.parametrize(("method", "payments", "field", "why", "constraint"), NEVER)
def test_a_rule_that_could_never_pay_is_refused_also_by_the_database(
    method: str, payments: dict[str, Any], field: str, why: str, constraint: str
) -> None:
    with pytest.raises(RuleRefused, match=f"could never pay: .*{why}") as refusal:
        add(method, **payments)
    assert refusal.value.field == field
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        directly(method, payments)


def test_the_database_knows_the_currencies() -> None:
    with pytest.raises(IntegrityError, match="rails_methodrule"), transaction.atomic():
        directly("wire", {"currency": "XXX"})


def test_a_rule_of_before_that_could_never_pay_can_be_ended() -> None:
    over = {"ended_at": NOW, "ended_by_actor": "user:ann", "ended_reason": "it could never pay"}
    for method, payments, *_ in NEVER:
        assert directly(method, payments, **over).ended_at == NOW


def test_a_wire_needs_an_account_in_the_currency(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.WIRE = SimpleNamespace(accounts={"EUR": object()})
    monkeypatch.setitem(registry._RAILS, SettlementProvider.WIRE, WireRail())
    add("wire", currency="EUR")
    add("wire")
    with pytest.raises(RuleRefused, match="could never pay: there is no account in USD to wire from") as refusal:
        add("wire", currency="USD")
    assert refusal.value.field == "currency"


def test_making_and_ending_need_a_reason() -> None:
    with pytest.raises(RuleRefused):
        choosing.add(Payments(), "ach", reason=" ", actor="user:ann", now=NOW)
    rule = add("ach")
    with pytest.raises(RuleRefused):
        choosing.end(rule.pk, reason="", actor="user:ann", now=NOW)


def test_a_method_must_be_there() -> None:
    with pytest.raises(registry.UnknownRail):
        add("cash")


@pytest.mark.parametrize(
    "change",
    [
        {"method": "wire"},
        {"currency": "EUR"},
        {"from_minor": 5},
        {"reason": "other"},
        {"made_by_actor": "user:eve"},
        {"ended_at": NOW},
        {"ended_at": NOW, "ended_by_actor": "user:eve"},
    ],
)
def test_the_database_keeps_a_rule_as_it_was_made(change: dict[str, Any]) -> None:
    rule = add("ach", currency="USD")
    with pytest.raises(DatabaseError), transaction.atomic():
        MethodRule.objects.filter(pk=rule.pk).update(**change)


def test_the_database_lets_no_rule_begin_again_or_go() -> None:
    rule = add("ach")
    choosing.end(rule.pk, reason="over", actor="user:ann", now=NOW)
    with pytest.raises(DatabaseError), transaction.atomic():
        MethodRule.objects.filter(pk=rule.pk).update(ended_at=None, ended_by_actor="", ended_reason="")
    with pytest.raises(DatabaseError), transaction.atomic():
        MethodRule.objects.filter(pk=rule.pk)._raw_delete("default")


def test_the_database_refuses_rules_that_overlap_by_themselves() -> None:
    add("ach", currency="USD")
    with pytest.raises(IntegrityError, match="rules_that_hold_do_not_overlap"), transaction.atomic():
        MethodRule.objects.create(currency="USD", method="wire", made_by_actor="x", made_at=NOW, reason="x")


def test_a_rule_is_told_in_words(acme: Recipient) -> None:
    rules = [
        add("stripe"),
        add("ach", currency="USD", lowest=usd(1_000), below=usd(10_000)),
        add("wire", recipient_pk=acme.pk, currency="JPY", lowest=Money(5_000, "JPY")),
        add("ach", recipient_pk=acme.pk, currency="USD"),
    ]
    assert [choosing.in_words(rule) for rule in rules] == [
        "Stripe for any recipient, any currency",
        "ACH for any recipient, USD from 1,000.00 below 10,000.00",
        "Wire for acme-haulage, JPY from 5,000",
        "ACH for acme-haulage, USD any amount",
    ]


@pytest.mark.django_db(transaction=True)
def test_of_many_who_make_the_same_rule_at_once_one_does() -> None:
    def attempt() -> bool:
        try:
            add("ach", currency="USD")
        except RuleRefused:
            return False
        return True

    assert sorted(at_once([partial(attempt)] * 4)) == [False, False, False, True]
