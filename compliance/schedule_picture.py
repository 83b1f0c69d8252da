"""The schedule of an intent as a bar: how much of it is paid, waits, was refused or is still to come; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from rails.money import Money
from settlements.statuses import SettlementStatus as S

WIDTH: Final = 1_000


class Part(Enum):
    """What may have become of a part: its word for the legend, and its class in the style sheet."""

    PAID = ("paid", "paid")
    WAITING = ("waits for a decision", "waiting")
    DELAYED = ("waits for its date", "delayed")
    GOING = ("is being paid", "going")
    REFUSED = ("not paid: rejected, cancelled, failed or returned", "refused")
    TO_COME = ("still to come", "to-come")

    @property
    def words(self) -> str:
        """For reading."""
        return self.value[0]

    @property
    def css(self) -> str:
        """For the style sheet."""
        return self.value[1]


_OF_STATUS: Final = {
    "": Part.TO_COME,
    S.PENDING: Part.WAITING,
    S.DELAYED: Part.DELAYED,
    S.RELEASING: Part.GOING,
    S.APPROVED: Part.PAID,
    S.SETTLED: Part.PAID,
    S.REJECTED: Part.REFUSED,
    S.CANCELLED: Part.REFUSED,
    S.FAILED: Part.REFUSED,
    S.RETURNED: Part.REFUSED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One part of the bar, from `x` for `width`, out of WIDTH."""

    part: Part
    x: int
    width: int
    amount: Money
    event_type: str
    is_this: bool

    @property
    def middle(self) -> int:
        """Where a mark under it points."""
        return self.x + self.width // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One item of the schedule; `status` is empty before its event."""

    event_type: str
    amount: Money
    status: str
    is_this: bool


def bars(pieces: Sequence[Piece]) -> list[Bar]:
    """The parts side by side, as wide as their amounts; they fill the bar exactly, and those of zero are left out."""
    shown = [piece for piece in pieces if piece.amount.minor > 0]
    total = sum(piece.amount.minor for piece in shown)
    before, drawn = 0, []
    for piece in shown:
        start, end = before * WIDTH // total, (before + piece.amount.minor) * WIDTH // total
        drawn.append(
            Bar(
                part=_OF_STATUS[piece.status],
                x=start,
                width=end - start,
                amount=piece.amount,
                event_type=piece.event_type,
                is_this=piece.is_this,
            )
        )
        before += piece.amount.minor
    return drawn


def legend(drawn: Sequence[Bar]) -> list[tuple[Part, Money]]:
    """Each kind of part that there is, with what it comes to, in the order of `Part`."""
    sums: dict[Part, Money] = {}
    for bar in drawn:
        sums[bar.part] = sums[bar.part] + bar.amount if bar.part in sums else bar.amount
    return [(part, sums[part]) for part in Part if part in sums]
