"""What a person does next about money at a provider, in words: by kind, and for ACH by the bank's return code."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from rails.ach.returns import RETURNS, ReturnReason
from rails.base import SettlementProvider
from settlements.statuses import BankWorkKind, WorkKind

# A provider's reason begins with the bank's code: "R03 No account or unable to locate account".
_CODE: Final = re.compile(r"R\d\d\b")

_BY_KIND: Final[Mapping[WorkKind, str]] = MappingProxyType(
    {
        WorkKind.QUESTION: (
            "Nobody knows whether it was paid, and it is not handed in again by itself. Look for it in the provider's "
            "own list, under the number of the milestone. Then look it up again, or record what that list says. "
            "Nothing is paid another way before that."
        ),
        WorkKind.CONTRADICTED: (
            "The provider's words can not all be true. Compare its own list with the attempts and the books; if money "
            "moved twice, ask for it back. Mark it as dealt with when it is clear."
        ),
        WorkKind.OVERPAID: (
            "It was paid twice: an earlier attempt, which counted as taken back, is with the recipient after all, and "
            "it was paid again. Ask the recipient to give one of them back. Record it when the money is there, or "
            "that it stays with the recipient."
        ),
        WorkKind.KEPT: (
            "It counted as taken back, but the recipient has it, so nothing is paid again. Ask the recipient whether "
            "it gives the money back; then record that, and a retry may be approved. If what it has is what it was "
            "owed, record that it stays there: that counts as paid."
        ),
        WorkKind.BACK_TWICE: (
            "The payment came back, and was taken back as well: one of the two is the recipient's. Compare with the "
            "bank's statement, make a payment intent over it, and record that then."
        ),
        WorkKind.RETURNED: (
            "The money came back. Find out why before anything is paid again: then approve a retry, have the "
            "destination mended, pay it another way, or write it off."
        ),
        WorkKind.FAILED: (
            "Nothing moved. If the reason is the recipient's account, have the destination mended first; then approve "
            "a retry, pay it another way, or write it off."
        ),
        WorkKind.PAYOUT_FAILED: (
            "The money rests in the recipient's Stripe balance: it is theirs already. Ask the recipient to mend its "
            "bank account at Stripe; Stripe pays out again by itself. Never transfer it a second time."
        ),
        WorkKind.PARTLY_RETURNED: (
            "Part of it came back, the rest stays paid. If that part is still owed, make a payment intent over it. "
            "Mark it as dealt with then."
        ),
        WorkKind.UNANSWERED: (
            "The provider has not answered yet; it is asked again by itself until it does. See that the rail's "
            "workers run, and whether the provider tells of trouble. Nothing is paid another way meanwhile."
        ),
        WorkKind.WAITING: "Nothing has been handed over yet; it goes by itself. Until then it can be withdrawn.",
    }
)

_OF_BANK: Final[Mapping[BankWorkKind, str]] = MappingProxyType(
    {
        BankWorkKind.LOST: (
            "Nobody knows whether the bank has it, so it is neither sent again nor paid another way. If the disk of "
            "the outbox can be brought back, it goes on by itself. Else ask the bank whether it has a file of this "
            "name and total; one person records what it says, and another confirms that."
        ),
        BankWorkKind.INBOX: (
            "It is tried again by itself, and leaves this list once it is read. Until then nobody knows what the bank "
            "says in it. Have the directory or the file put right."
        ),
        BankWorkKind.QUARANTINED: (
            "Nothing of it was applied: returns in it are not known. See what is wrong with it and have the bank send "
            "it again; then mark it as dealt with."
        ),
        BankWorkKind.ITEM: (
            "It moves nothing by itself. Speak to the bank, do what it asks for, and mark it as dealt with."
        ),
        BankWorkKind.EVENT: (
            "Nothing of it was applied. Look it up in Stripe's dashboard and compare it with the payment. Process it "
            "again if what stood in its way is over, or mark it as dealt with."
        ),
    }
)


def after(kind: WorkKind, *, provider: SettlementProvider | None, words: str) -> str:
    """The next step for one piece of work, by the provider's last words about it."""
    reason = bank_reason(provider, words)
    if reason is not None and kind in {WorkKind.RETURNED, WorkKind.FAILED}:
        return f"{reason}. {reason.follow_up.value}"
    return _BY_KIND[kind]


def of_bank(kind: BankWorkKind, provider: SettlementProvider) -> str:
    """The next step for one piece of work about a bank's file."""
    if kind is BankWorkKind.INBOX and provider is SettlementProvider.ACH:
        return f"{_OF_BANK[kind]} What it may speak of does not count as settled meanwhile."
    return _OF_BANK[kind]


def bank_reason(provider: SettlementProvider | None, words: str) -> ReturnReason | None:
    """What a bank's return code in these words says; None if there is none."""
    code = _CODE.match(words)
    return RETURNS.get(code[0]) if code and provider is SettlementProvider.ACH else None


def wants_destination(provider: SettlementProvider | None, words: str) -> bool:
    """Whether the bank says that the account it went to must not be used again as it is."""
    reason = bank_reason(provider, words)
    return reason is not None and reason.follow_up.stops_destination


def so_far(*, approvals: int, required: int, blocked: str) -> str:
    """How far a retry has come; empty as long as nobody has approved one."""
    if approvals == 0:
        return ""
    if approvals < required:
        return f"{approvals} of {required} officers approved that it is paid again; another one must."
    return f"It is approved to be paid again and waits: {blocked}." if blocked else ""
