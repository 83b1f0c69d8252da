"""What people do about ACH: take down that a file was refused, reverse a payment, deal with what the bank sent."""

from typing import Final

from django import forms

from compliance.forms import ReasonForm
from compliance.row_acts import ActRefused, By, RowAct
from compliance.uploads import LARGEST_BANK_FILE
from compliance.wire_forms import BankReferenceForm
from rails import bank_inboxes
from rails.ach import handling, reversals, words
from rails.ach.payments import CURRENCY
from rails.ach.rail import AchRail, configured
from rails.models import (
    AchEntry,
    AchEntryKind,
    AchFate,
    AchFile,
    AchFileState,
    AchInboundFile,
    AchInboundItem,
    ReversalReason,
    WireMessage,
)
from rails.money import Money
from settlements.permissions import Permission

_NOT_ENABLED: Final = "ACH is not enabled in this installation."


class ReversalForm(ReasonForm):
    """Why Nacha permits it, and what happened."""

    permitted_reason = forms.ChoiceField(
        label="Permitted, because",
        choices=ReversalReason.choices,
        help_text="Nothing else is a permitted reason to reverse a payment.",
    )
    field_order = ("permitted_reason", "reason")


class UploadForm(ReasonForm):
    """A file of the bank, and how it came."""

    file = forms.FileField(
        max_length=1_000,
        allow_empty_file=True,
        help_text=f"A NACHA file of returns or notifications of change, of at most {LARGEST_BANK_FILE:,} bytes.",
        error_messages={"required": "Choose a file.", "max_length": "The name of the file is too long."},
    )
    field_order = ("file", "reason")

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].label = "How it came"
        self.fields["reason"].help_text = "Kept with the file and your name."
        self.fields["reason"].error_messages["required"] = "Write down how the file came."


def _amount(minor: int) -> str:
    return f"{Money(minor, CURRENCY).major:,} {CURRENCY}"


def _refuse(file: AchFile, *, by: By, reason: str) -> str:
    try:
        handling.refuse_file(file.pk, reason=reason, user=by.user, actor=by.actor, now=by.now)
    except handling.FileRefusal as refused:
        raise ActRefused(refused.detail, status=409) from refused
    return "Taken down: all payments of the file come back with the next look, within seconds."


def _reverse(entry: AchEntry, *, by: By, permitted_reason: str, reason: str) -> str:
    if not AchRail().is_configured():
        raise ActRefused(_NOT_ENABLED, status=409)
    try:
        reversal = reversals.ask(
            configured(),
            entry.pk,
            permitted_reason=ReversalReason(permitted_reason),
            reason=reason,
            user=by.user,
            actor=by.actor,
            now=by.now,
        )
    except reversals.ReversalRefused as refused:
        raise ActRefused(refused.detail, status=409) from refused
    return f"The reversing entry goes out with the next window, by {reversal.last_day} at the latest."


def _went_through(entry: AchEntry, *, by: By, bank_reference: str, reason: str) -> str:
    if not AchRail().is_configured():
        raise ActRefused(_NOT_ENABLED, status=409)
    try:
        reversals.went_through(
            configured(),
            entry.pk,
            bank_reference=bank_reference,
            reason=reason,
            user=by.user,
            actor=by.actor,
            now=by.now,
        )
    except reversals.ReversalRefused as refused:
        field = "bank_reference" if refused.code == "bank_reference_invalid" else None
        raise ActRefused(refused.detail, field=field, status=409) from refused
    return "Taken down: the payment counts as returned with the next look, within seconds."


def _may_have_gone_through(entry: AchEntry) -> bool:
    """Whether the bank has the reversing entry, and nothing is known of it."""
    return (
        entry.kind == AchEntryKind.REVERSAL
        and entry.file.state == AchFileState.HANDED_OVER
        and not entry.outcomes.exists()
    )


def _of_reversing(entry: AchEntry) -> list[tuple[str, str]]:
    facts = [("Takes back", entry.reverses.entry.trace_number), ("Amount", _amount(entry.amount_minor))]
    if not AchRail().is_configured():
        return facts
    day = words.assumed_on(configured(), entry.file)
    return [*facts, ("Counts by itself", f"on {day}, if it does not come back")]


def _deal_with(item: AchInboundItem, *, by: By, reason: str) -> str:
    try:
        handling.deal_with(item.pk, reason=reason, user=by.user, actor=by.actor, now=by.now)
    except handling.ItemDealtWith as refused:
        raise ActRefused(refused.detail, status=409) from refused
    return "Dealt with."


def _deal_with_file(file: AchInboundFile | WireMessage, *, by: By, reason: str) -> str:
    try:
        bank_inboxes.deal_with(file, reason=reason, user=by.user, actor=by.actor, now=by.now)
    except bank_inboxes.FileDealtWith as refused:
        raise ActRefused(refused.detail, status=409) from refused
    return "Dealt with."


def _is_out(entry: AchEntry) -> bool:
    """Whether the bank has it and it did not come back, as far as is known."""
    return (
        entry.kind == AchEntryKind.PAYMENT
        and entry.file.state == AchFileState.HANDED_OVER
        and not entry.outcomes.filter(fate=AchFate.RETURNED).exists()
        and not hasattr(entry, "reversal")
    )


def _of_refused(file: AchFile) -> list[tuple[str, str]]:
    entries = file.entries.exclude(kind=AchEntryKind.OFFSET)
    back = entries.filter(outcomes__fate=AchFate.RETURNED).distinct().count()
    facts = [("File", file.name), ("Pays", _amount(file.credits_minor)), ("Entries", f"{entries.count():,}")]
    return [*facts, ("Came back already", f"{back:,}, not booked again")] if back else facts


OF_FILE: Final = (
    RowAct(
        name="refuse",
        label="The bank refused it",
        explanation="The bank has taken none of it. Every payment in it counts as returned and may go out again, once "
        "people have approved that. What a return has brought back already stays returned by that return, and is not "
        "booked a second time.",
        permission=Permission.HANDLE_BANK_FILES,
        is_possible=lambda file, user: file.state == AchFileState.HANDED_OVER and file.settled_at is None,
        about=_of_refused,
        perform=_refuse,
        ends=True,
    ),
)
OF_ENTRY: Final = (
    RowAct(
        name="reverse",
        label="Reverse",
        explanation="A reversing entry takes the payment back from the recipient's account. It counts as returned once "
        "that entry can not come back any more, which takes more than sixty days, or the bank's word is taken down. "
        "Tell the recipient: the rules ask for it.",
        permission=Permission.RESOLVE_PAYMENT,
        form=ReversalForm,
        is_possible=lambda entry, user: _is_out(entry),
        about=lambda entry: [("Payment", entry.trace_number), ("Amount", _amount(entry.amount_minor))],
        perform=_reverse,
        ends=True,
    ),
    RowAct(
        name="went_through",
        label="It went through",
        explanation="The bank says, under a reference of its own, that this entry took the money back for good. The "
        "payment counts as returned and may be paid again, when others approve that. Make sure of it: a consumer may "
        "object for sixty days, and what was paid again by then was paid twice.",
        permission=Permission.HANDLE_BANK_FILES,
        form=BankReferenceForm,
        is_possible=lambda entry, user: _may_have_gone_through(entry),
        about=_of_reversing,
        perform=_went_through,
        ends=True,
    ),
)
OF_ITEM: Final = (
    RowAct(
        name="deal",
        label="Dealt with",
        explanation="Nobody has to look at it any more. It moves no money and changes no destination.",
        permission=Permission.HANDLE_BANK_FILES,
        is_possible=lambda item, user: item.waits,
        about=lambda item: [("The bank says", item.words)],
        perform=_deal_with,
    ),
)
OF_QUARANTINED: Final = (
    RowAct(
        name="deal",
        label="Dealt with",
        explanation="Nobody has to look at this file any more. Nothing of it is applied: what was in it must have come "
        "in another file, or be done by hand.",
        permission=Permission.HANDLE_BANK_FILES,
        is_possible=lambda file, user: bank_inboxes.waits(file),
        about=lambda file: [("File", file.name)],
        perform=_deal_with_file,
    ),
)
