"""What a difference says to whoever works on it: what differs, and what to do next."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from rails.base import SettlementProvider
from rails.models import AttemptState
from rails.money import EXPONENTS, Money
from rails.wording import in_words
from settlements.statuses import MismatchKind


@dataclass(frozen=True, slots=True)
class Words:
    """A kind of difference: its name on the page, the sentence that tells it, and the next step.

    The sentence is filled in with `expected`, `found` (amounts or words), `off` (their difference) and `them`.
    """

    title: str
    sentence: str
    next_step: str
    between: tuple[str, ...]


SETTLEMENT, ATTEMPT, JOURNAL, THEIRS = "settlement", "attempt", "journal", "provider"

WORDS: Final[Mapping[MismatchKind, Words]] = MappingProxyType(
    {
        MismatchKind.NO_SETTLEMENT: Words(
            "No settlement",
            "{found} went out or was booked under a milestone that has no settlement.",
            "Nothing in ChainPay writes this. Stop the rail, keep the database as it is, and run verify_books; see the "
            "runbook.",
            (SETTLEMENT,),
        ),
        MismatchKind.NO_ATTEMPT: Words(
            "No payment order",
            "The settlement is {expected} over {amount}, but no order to pay it was ever written.",
            "Nothing in ChainPay writes this. Check with {them} that nothing was paid, and run verify_books; see the "
            "runbook.",
            (SETTLEMENT, ATTEMPT),
        ),
        MismatchKind.STATUS: Words(
            "Status",
            "The settlement is {expected}, but its last attempt is {found}.",
            "One of the two was changed by hand. Ask {them} which is true, and run verify_books to see what else was "
            "changed.",
            (SETTLEMENT, ATTEMPT),
        ),
        MismatchKind.AMOUNT: Words(
            "Amount",
            "The settlement is over {expected}, the order to pay over {found}{off}.",
            "Ask {them} what was paid. One of the two was changed by hand: run verify_books.",
            (SETTLEMENT, ATTEMPT),
        ),
        MismatchKind.REFERENCE: Words(
            "Reference",
            "The settlement names {expected}, the payment goes by {found}.",
            "Look for both references at {them}: there may be two payments. Run verify_books.",
            (SETTLEMENT, ATTEMPT, JOURNAL),
        ),
        MismatchKind.BOOKED: Words(
            "Booked amount",
            "{expected} should be booked as released, the journal has {found}{off}.",
            "Compare the entries of this payment with what {them} paid. The journal is never edited: what is wrong is "
            "mended by a correction.",
            (JOURNAL,),
        ),
        MismatchKind.CLEARING: Words(
            "Clearing account",
            "{expected} should be on its way in the clearing account, it holds {found}{off}.",
            "Open the account's postings and find the entry that does not belong to this payment. What is wrong is "
            "mended by a correction.",
            (JOURNAL,),
        ),
        MismatchKind.OWED: Words(
            "Owed by the recipient",
            "{expected} are owed of this payment, the journal has {found}{off}.",
            "Compare what came back with the entries of this payment, and run verify_books.",
            (ATTEMPT, JOURNAL),
        ),
        MismatchKind.THEIRS_MISSING: Words(
            "Not there",
            "We count {expected} as paid, but {them} has no such payment.",
            "Look for the reference in the list of {them}. If it is really not there, nothing was paid: do not pay it "
            "again before {them} has said so in writing.",
            (ATTEMPT, THEIRS),
        ),
        MismatchKind.OURS_MISSING: Words(
            "Unknown to us",
            "{them} has {found} under a reference that none of our payments goes by.{words}",
            "Find out who ordered it. Another system on the same account? Then resolve it with its name. Nobody? Then "
            "it was not meant to be paid: stop the rail and ask {them} to take it back.",
            (THEIRS,),
        ),
        MismatchKind.THEIR_AMOUNT: Words(
            "Amount paid",
            "We ordered {expected}, {them} has {found}{off}.",
            "Ask {them} for the amount that left our account. A fee that was taken from the payment is named in the "
            "reason; anything else is claimed from {them}.",
            (ATTEMPT, THEIRS),
        ),
        MismatchKind.THEIR_DESTINATION: Words(
            "Paid elsewhere",
            "{them} paid to another account than we ordered:{words}",
            "Stop payments to this recipient and ask {them} where the money is. This may be fraud.",
            (ATTEMPT, THEIRS),
        ),
        MismatchKind.THEIR_REFERENCE: Words(
            "Second reference",
            "{them} has a payment of this attempt under another reference:{words}",
            "It may have been paid twice. Look for both references at {them}, and ask one of them back.",
            (ATTEMPT, THEIRS),
        ),
        MismatchKind.THEIR_RETURN: Words(
            "What came back",
            "By us {expected} came back, by {them} {found}{off}.",
            "If {them} is right, its word has not reached us: see whether its events or files are read. A return that "
            "was told is booked by itself.",
            (ATTEMPT, JOURNAL, THEIRS),
        ),
        MismatchKind.THEIR_WORD: Words(
            "Not taken down",
            "{attempt}, but {them} says {found}.",
            "See in the work list whether the payment waits for somebody. For a wire, take down the bank's word; "
            "otherwise it is taken down when the rail is heard next.",
            (ATTEMPT, THEIRS),
        ),
        MismatchKind.IN_DOUBT: Words(
            "In doubt",
            "{expected} were handed to {them} more than an hour ago, and nobody knows what became of it.",
            "It is looked up again by itself. If it stays so, look for it at {them} and judge it in the work list; "
            "it is not paid another way before that.",
            (ATTEMPT, THEIRS),
        ),
    }
)

_THEM: Final = {
    SettlementProvider.STRIPE: "Stripe",
    SettlementProvider.ACH: "the bank (ACH)",
    SettlementProvider.WIRE: "the bank (wire)",
    SettlementProvider.INTERNAL_LEDGER: "the internal ledger",
}
_SAYS: Final = {
    "ACCEPTED": "that it has it",
    "CONFIRMED": "that the money arrived",
    "RETURNED": "that the money came back",
    "REFUSED": "that it never got it",
}
_WE_SAY: Final = {
    AttemptState.SUBMITTED.value: "We do not know what became of it",
    AttemptState.REFUSED.value: "We count it as refused",
    AttemptState.ACCEPTED.value: "We count it as on its way",
    AttemptState.CONFIRMED.value: "We count it as arrived",
    AttemptState.RETURNED.value: "We count it as returned",
}
# Of these the provider's side is told in words, as its list has it.
_IN_WORDS: Final = frozenset({MismatchKind.THEIR_DESTINATION, MismatchKind.THEIR_REFERENCE})
_AMOUNTS: Final = frozenset({MismatchKind.AMOUNT, MismatchKind.THEIR_AMOUNT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What was found, as it is kept; amounts in minor units."""

    kind: MismatchKind
    provider: SettlementProvider
    currency: str
    expected_minor: int | None
    found_minor: int | None
    expected: str
    found: str

    @property
    def title(self) -> str:
        """The kind's name."""
        return WORDS[self.kind].title

    @property
    def between(self) -> tuple[str, ...]:
        """Which sides differ: `settlement`, `attempt`, `journal`, `provider`."""
        return WORDS[self.kind].between

    @property
    def sentence(self) -> str:
        """What differs, in one sentence."""
        return self._filled(WORDS[self.kind].sentence)

    @property
    def next_step(self) -> str:
        """What a person does about it."""
        return self._filled(WORDS[self.kind].next_step)

    @property
    def theirs(self) -> str:
        """What the provider or bank has, where the difference is with it; empty where it has nothing."""
        if THEIRS not in self.between:
            return ""
        if self.kind in _IN_WORDS:
            return self.found
        return self._sides()[1] if self.found_minor is not None or self.kind is MismatchKind.THEIR_WORD else ""

    @property
    def amounts(self) -> tuple[str, str]:
        """Both sides' amounts, `38,400.00 USD`; empty where a side tells none."""
        in_codes = self.kind in _AMOUNTS
        expected = _amount(self.expected_minor, self.expected if in_codes else self.currency)
        found = _amount(self.found_minor, self.found if in_codes else self.currency)
        return expected if self.expected_minor is not None else "", found if self.found_minor is not None else ""

    def _filled(self, text: str) -> str:
        expected, found, off = self._sides()
        filled = text.format(
            expected=expected,
            found=found,
            off=off,
            them=_THEM[self.provider],
            amount=_amount(self.expected_minor, self.currency),
            attempt=_WE_SAY.get(self.expected, "Nobody has taken it down"),
            words=self._in_their_words(),
        )
        return filled[:1].upper() + filled[1:]

    def _in_their_words(self) -> str:
        if not self.found or self.found == self.currency:
            return ""
        return f" In its words: {self.found}" if self.kind is MismatchKind.OURS_MISSING else f" {self.found}"

    def _sides(self) -> tuple[str, str, str]:
        """Both sides, and by how much they differ where both are amounts of one currency."""
        in_codes = self.kind in _AMOUNTS
        expected = _amount(self.expected_minor, self.expected if in_codes else self.currency)
        found = _amount(self.found_minor, self.found if in_codes else self.currency)
        off = ""
        if self.expected_minor is not None and self.found_minor is not None and self._one_currency():
            more = self.found_minor - self.expected_minor
            off = f": {_amount(abs(more), self.currency)} too {'much' if more > 0 else 'little'}" if more else ""
        if self.kind is MismatchKind.THEIR_WORD:
            found = _SAYS.get(self.found, in_words(self.found))
        elif self.kind in {MismatchKind.STATUS, MismatchKind.NO_ATTEMPT}:
            expected, found = in_words(self.expected).lower(), in_words(self.found).lower()
        elif self.kind is MismatchKind.REFERENCE:
            expected, found = self.expected or "no reference", self.found or "none"
        return expected, found, off

    def _one_currency(self) -> bool:
        return self.kind not in _AMOUNTS or self.expected == self.found


def _amount(minor: int | None, currency: str) -> str:
    """`38,400.00 USD`; words where the amount is not told."""
    if minor is None or not currency:
        return "an amount that is not told"
    if currency not in EXPONENTS:
        return f"{minor:,} {currency} in its smallest unit"
    return f"{Money(minor, currency).major:,} {currency}"
