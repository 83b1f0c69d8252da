"""Which status may follow which: plain data, read by the lifecycle, the database's guard and docs/states.md."""

from settlements.statuses import SettlementStatus as S

INITIAL: frozenset[S] = frozenset({S.PENDING, S.DELAYED, S.APPROVED, S.RELEASING})

TRANSITIONS: dict[S, frozenset[S]] = {
    S.PENDING: frozenset({S.APPROVED, S.RELEASING, S.REJECTED, S.CANCELLED}),
    S.DELAYED: frozenset({S.APPROVED, S.RELEASING, S.PENDING, S.REJECTED, S.CANCELLED}),
    S.RELEASING: frozenset({S.APPROVED, S.FAILED}),
    S.APPROVED: frozenset({S.SETTLED, S.RETURNED}),
    S.SETTLED: frozenset({S.APPROVED, S.RETURNED}),
    S.FAILED: frozenset({S.RELEASING, S.CANCELLED}),
    S.RETURNED: frozenset({S.RELEASING, S.CANCELLED}),
    S.REJECTED: frozenset(),
    S.CANCELLED: frozenset(),
}

# Rails that live in our own database approve at once; the others pass through RELEASING and an attempt, and so does,
# within one transaction, whatever failed or came back and is paid by the ledger instead.
LOCAL_ONLY: frozenset[tuple[S | None, S]] = frozenset(
    {(None, S.APPROVED), (S.PENDING, S.APPROVED), (S.DELAYED, S.APPROVED)}
)
REMOTE_ONLY: frozenset[tuple[S | None, S]] = frozenset(
    {(None, S.RELEASING), (S.PENDING, S.RELEASING), (S.DELAYED, S.RELEASING)}
)
AGAIN: frozenset[tuple[S | None, S]] = frozenset({(S.FAILED, S.RELEASING), (S.RETURNED, S.RELEASING)})

# A move that lets money go: it needs authority, and nothing may stand in its way.
CLAIMS: frozenset[tuple[S | None, S]] = LOCAL_ONLY | REMOTE_ONLY | AGAIN


def may_follow(current: S | None, new: S) -> bool:
    """Whether a settlement in `current` (None: not stored yet) may become `new`."""
    return new in INITIAL if current is None else new in TRANSITIONS[current]
