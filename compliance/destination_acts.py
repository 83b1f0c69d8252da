"""What people do about where a recipient is paid: propose, confirm, reject, close, stop and allow payouts."""

from typing import Any, Final

from django.contrib.auth.models import User

from compliance.destination_forms import NUMBERS, AchForm, ConfirmForm, DestinationForm, StripeForm, WireForm
from compliance.row_acts import ActRefused, By, Facts, RowAct
from rails import destinations, recipients
from rails.admin_destinations import told
from rails.destinations import AnotherPersonConfirms, DestinationGone, Details
from rails.models import Destination, DestinationState, Recipient
from rails.wording import actor, in_words
from settlements.permissions import Permission

_CALLED: Final = {"stripe": "Stripe", "ach": "ACH", "wire": "wire"}
_TIME: Final = "%Y-%m-%d %H:%M UTC"


def _propose(row: Recipient, *, by: By, reason: str, details: Details) -> str:
    made = destinations.propose(row.pk, [details], actor=by.actor, user=by.user, reason=reason, now=by.now)
    if not made:
        raise ActRefused("This is in force or proposed already; nothing was written.", status=409)
    (destination,) = made
    if destination.state == DestinationState.ACTIVE:
        return f"{in_words(details.rail)} destination set: it is the first one, and in use at once."
    return (
        f"{in_words(details.rail)} destination proposed. Another person confirms it; until then nothing is paid there."
    )


def _in_force_on(row: Recipient, rail: str) -> Destination | None:
    found = {each.state: each for each in destinations.of_recipient(row.pk) if each.rail == rail}
    return found.get(DestinationState.PROPOSED) or found.get(DestinationState.ACTIVE)


def _proposing(form: type[DestinationForm]) -> RowAct:
    rail = form.rail

    def about(row: Recipient) -> Facts:
        standing = {each.rail: each for each in destinations.by_rail(row.pk)}.get(rail)
        if standing is None:
            return [("Now", "none")]
        shown = [("Now", standing.in_force), ("Proposed", standing.proposed)]
        return [(name, destinations.in_words(each)) for name, each in shown if each is not None]

    def filled(row: Recipient) -> dict[str, Any]:
        before = _in_force_on(row, rail)
        return {} if before is None else {k: v for k, v in before.details.items() if k in form.base_fields}

    return RowAct(
        name=f"set_{rail}",
        label=f"Set {_CALLED[rail]} destination",
        explanation="A change waits for another person to confirm it and for its quarantine, and nothing is paid to "
        "the old destination meanwhile. Approvals of this recipient's payments that were given before are void.",
        permission=Permission.WRITE_RECIPIENTS,
        form=form,
        perform=_propose,
        about=about,
        filled=filled,
        never_kept=NUMBERS,
    )


def _switch(row: Recipient, *, enabled: bool, by: By, reason: str) -> str:
    recipients.set_payouts(
        recipient_id=row.recipient_id, enabled=enabled, actor=by.actor, user=by.user, reason=reason, now=by.now
    )
    return f"Payouts to {row.recipient_id} are {'on' if enabled else 'off'}."


def _payouts_off(row: Recipient, *, by: By, reason: str) -> str:
    return _switch(row, enabled=False, by=by, reason=reason)


def _payouts_on(row: Recipient, *, by: By, reason: str) -> str:
    return _switch(row, enabled=True, by=by, reason=reason)


OF_RECIPIENT: Final = (
    _proposing(StripeForm),
    _proposing(AchForm),
    _proposing(WireForm),
    # Whoever suspects a fraud stops the money; letting it go again is for those who manage rails.
    RowAct(
        name="payouts_off",
        label="Stop payouts",
        explanation="Nothing more is submitted for this recipient, approved or not; what was submitted is on its way.",
        permission=Permission.WRITE_RECIPIENTS,
        is_possible=lambda row, user: row.payouts_enabled,
        perform=_payouts_off,
        ends=True,
    ),
    RowAct(
        name="payouts_on",
        label="Allow payouts",
        explanation="What waits for nothing else is released by the next sweep.",
        permission=Permission.MANAGE_RAILS,
        is_possible=lambda row, user: not row.payouts_enabled,
        perform=_payouts_on,
    ),
)


def _before(row: Destination) -> Destination | None:
    return Destination.objects.filter(
        recipient_id=row.recipient_id, rail=row.rail, state=DestinationState.ACTIVE
    ).first()


def _what_stays(row: Destination) -> str:
    obstacle = destinations.obstacle(row.recipient_id, row.rail)
    if obstacle:
        return f"the destination before stays, and is not paid to yet: {obstacle}"
    return "the destination before is in use again"


def _proposal(row: Destination) -> Facts:
    before = _before(row)
    facts = [
        ("Now", destinations.in_words(before) if before else "none"),
        ("Then", destinations.in_words(row)),
        ("Proposed", f"by {actor(row.proposed_by_actor)} at {row.proposed_at:{_TIME}}"),
        ("Because", row.proposed_reason),
        ("The bank told", told(row.notice) if row.notice else ""),
        ("Usable", f"from {row.usable_from:{_TIME}}, not before"),
    ]
    return [(name, text) for name, text in facts if text]


def _is_own(row: Destination, user: User) -> str:
    return AnotherPersonConfirms().detail if row.proposed_by_id == user.pk else ""


def _confirm(row: Destination, *, by: By, reason: str, number: str) -> str:
    if number and not destinations.has_number(row, number):
        raise ActRefused(
            "This is not the number that was proposed. Do not confirm it before you know why.", field="number"
        )
    try:
        said = f"{reason} (number {'compared' if number else 'not compared'})"
        confirmed = destinations.confirm(row.pk, user=by.user, actor=by.actor, reason=said, now=by.now)
    except (DestinationGone, AnotherPersonConfirms) as refused:
        raise ActRefused(refused.detail, status=409) from refused
    return f"Destination confirmed; it is usable from {confirmed.usable_from:{_TIME}}."


def _reject(row: Destination, *, by: By, reason: str) -> str:
    try:
        destinations.reject(row.pk, reason=reason, actor=by.actor, user=by.user, now=by.now)
    except DestinationGone as refused:
        raise ActRefused(refused.detail, status=409) from refused
    before = _before(row)
    return f"Proposal rejected; {_what_stays(row) if before else 'there is no destination before it'}."


def _close(row: Destination, *, by: By, reason: str) -> str:
    destinations.close(row.recipient_id, row.rail, reason=reason, actor=by.actor, user=by.user, now=by.now)
    return f"{in_words(row.rail)} destination closed; nothing is paid there until another one is confirmed."


def _unblock(row: Destination, *, by: By, reason: str) -> str:
    try:
        destinations.unblock(row.pk, reason=reason, actor=by.actor, user=by.user, now=by.now)
    except (DestinationGone, AnotherPersonConfirms) as refused:
        raise ActRefused(refused.detail, status=409) from refused
    return "Destination kept as it is; it is paid to again."


OF_DESTINATION: Final = (
    RowAct(
        name="confirm",
        label="Confirm",
        explanation="You have asked the recipient, by a way that is not in the message that brought the change. It "
        "takes the place of the one before, and is paid to when its quarantine is over.",
        permission=Permission.CONFIRM_DESTINATION,
        form=ConfirmForm,
        is_possible=lambda row, user: row.state == DestinationState.PROPOSED,
        objection=_is_own,
        about=_proposal,
        perform=_confirm,
        never_kept=NUMBERS,
    ),
    RowAct(
        name="reject",
        label="Reject",
        explanation="The destination before stays, and is paid to again unless it is blocked or in quarantine itself.",
        permission=Permission.CONFIRM_DESTINATION,
        is_possible=lambda row, user: row.state == DestinationState.PROPOSED and row.proposed_by_id != user.pk,
        about=_proposal,
        perform=_reject,
        ends=True,
    ),
    RowAct(
        name="withdraw",
        label="Take back",
        explanation="Your own proposal: the destination before stays, and is paid to again unless it is blocked or in "
        "quarantine itself.",
        permission=Permission.WRITE_RECIPIENTS,
        is_possible=lambda row, user: row.state == DestinationState.PROPOSED and row.proposed_by_id == user.pk,
        about=_proposal,
        perform=_reject,
        ends=True,
    ),
    RowAct(
        name="unblock",
        label="Keep as it is",
        explanation="The bank told of a change, or a payment came back, and the destination is right all the same. "
        "Payments to it go on.",
        permission=Permission.CONFIRM_DESTINATION,
        is_possible=lambda row, user: row.state == DestinationState.ACTIVE and row.blocked != "",
        about=lambda row: [("The bank told", told(row.blocked))],
        perform=_unblock,
    ),
    RowAct(
        name="close",
        label="Close",
        explanation="Nothing is paid there any more, and what is proposed for this rail ends too. The next destination "
        "is a change that waits.",
        permission=Permission.WRITE_RECIPIENTS,
        is_possible=lambda row, user: row.state == DestinationState.ACTIVE,
        about=lambda row: [("Now", destinations.in_words(row))],
        perform=_close,
        ends=True,
    ),
)
