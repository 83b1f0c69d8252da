"""What people do about rails: turn one on or off, and keep the table of default payment methods."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from compliance.rail_forms import RuleForm
from compliance.row_acts import ActRefused, By, RowAct
from rails import choosing, registry, switches
from rails.base import SettlementProvider
from rails.choosing import Payments, RuleRefused
from rails.models import MethodRule, RailSwitch
from rails.wording import in_words
from settlements.permissions import Permission


@dataclass(frozen=True, slots=True, kw_only=True)
class Rail:
    """A rail as the list of rails shows it; `last` is the last turn of its switch."""

    provider: SettlementProvider
    enabled_here: bool
    on: bool
    last: RailSwitch | None

    @property
    def method(self) -> str:
        """Its word in requests."""
        return self.provider.method

    @property
    def words(self) -> str:
        """Its name."""
        return in_words(self.method)


def rails() -> Sequence[Rail]:
    """Every rail there is, enabled in this installation or not."""
    last = {row.rail: row for row in RailSwitch.objects.all()}
    return [
        Rail(
            provider=provider,
            enabled_here=registry.is_implemented(provider=provider),
            on=provider.value not in last or last[provider.value].enabled,
            last=last.get(provider.value),
        )
        for provider in SettlementProvider
    ]


def _turn_off(rail: Rail, *, by: By, reason: str) -> str:
    switches.turn_off(provider=rail.provider, reason=reason, actor=by.actor, now=by.now)
    return f"{rail.words} is off: nothing more is submitted."


def _turn_on(rail: Rail, *, by: By, reason: str) -> str:
    try:
        switches.turn_on(provider=rail.provider, reason=reason, actor=by.actor, now=by.now)
    except registry.RailNotEnabled as refused:
        raise ActRefused(refused.detail, status=409) from refused
    return f"{rail.words} is on: what waits is submitted from now on."


_TO_ON: Final = (
    "What waits for this rail is handed in by itself within minutes, or with its next window; nobody approves it again."
)
_TO_OFF: Final = (
    "Nothing more is handed to this rail. Events and intents are taken in and decided as ever; what is authorised "
    "waits until it is on again. What was handed over is on its way and may be paid: to stop that, call the bank."
)


def turning(rail: Rail, *, on: bool | None = None) -> RowAct:
    """The act that turns a rail's switch; by default to where it is not."""
    to_on = not rail.on if on is None else on
    return RowAct(
        name=f"turn_{rail.method}",
        label=f"Turn {'on' if to_on else 'off'}",
        explanation=_TO_ON if to_on else _TO_OFF,
        permission=Permission.MANAGE_RAILS,
        is_possible=lambda row, user: row.on is not to_on and (row.enabled_here or to_on),
        about=lambda row: [("Rail", row.words)],
        perform=_turn_on if to_on else _turn_off,
        ends=not to_on,
    )


def _add_rule(row: None, *, by: By, payments: Payments, method: str, reason: str) -> str:
    try:
        rule = choosing.add(payments, method, reason=reason, actor=by.actor, user=by.user, now=by.now)
    except registry.RailNotEnabled as refused:
        raise ActRefused(refused.detail, field="method", status=409) from refused
    except RuleRefused as refused:
        raise ActRefused(refused.detail, field=refused.field, status=409) from refused
    return f"Rule {rule.pk} holds from now on: {choosing.in_words(rule)}."


def _end_rule(row: MethodRule, *, by: By, reason: str) -> str:
    try:
        choosing.end(row.pk, reason=reason, actor=by.actor, user=by.user, now=by.now)
    except RuleRefused as refused:
        raise ActRefused(refused.detail, status=409) from refused
    return f"Rule {row.pk} has ended."


ADD_RULE: Final = RowAct(
    name="new",
    label="Add rule",
    explanation="It chooses for payment intents that are created without a method from now on. A rule for the "
    "recipient goes before one for any, then one for the currency. A rule that could never pay is refused; an intent "
    "that its rule's method can not pay is refused too.",
    permission=Permission.MANAGE_RAILS,
    form=RuleForm,
    perform=_add_rule,
)
END_RULE: Final = RowAct(
    name="end",
    label="End",
    explanation="It chooses no more; intents that it chose for keep their method.",
    permission=Permission.MANAGE_RAILS,
    is_possible=lambda row, user: row.ended_at is None,
    about=lambda row: [("Rule", choosing.in_words(row))],
    perform=_end_rule,
    ends=True,
)
