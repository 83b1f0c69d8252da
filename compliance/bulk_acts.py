"""What may be done to many settlements at once: the acts of one, each for itself, and what became of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from compliance.acts import ACTS, Act
from compliance.forms import AssignmentForm, DecisionForm, ReasonForm
from settlements import release, sending
from settlements.approvals import Officer
from settlements.refusals import Refusal

MOST: Final = 100
_FAILED: Final = "It could not be carried out and nothing was changed; the reason is in the log. Try it once more."


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkAct:
    """An act for many: its form asks once for what they share."""

    act: Act
    form: type[ReasonForm]

    @property
    def bound_to_version(self) -> bool:
        """Whether it is about what the list showed, and nothing else."""
        return issubclass(self.act.form, DecisionForm)


BULK_ACTS: Final[Mapping[str, BulkAct]] = MappingProxyType(
    {
        name: BulkAct(act=ACTS[name], form=form)
        for name, form in (
            ("approve", ReasonForm),
            ("reject", ReasonForm),
            ("hold", ReasonForm),
            ("lift", ReasonForm),
            ("assign", AssignmentForm),
        )
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """A row of the list: the settlement, and the version that was shown."""

    milestone_id: int
    version: str


class Became(StrEnum):
    """What became of one of many."""

    DONE = "done"
    RECORDED = "recorded"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one settlement, in words."""

    milestone_id: int
    became: Became
    says: str


def carry_out(
    bulk: BulkAct, rows: Sequence[Selected], *, officer: Officer, fields: Mapping[str, Any], now: datetime
) -> list[Result]:
    """One domain call for each row, in a transaction of its own; what one refuses, or fails at, leaves the others."""
    return [_one(bulk, row, officer, fields, now) for row in rows]


def _one(bulk: BulkAct, row: Selected, officer: Officer, fields: Mapping[str, Any], now: datetime) -> Result:
    bound = {"version": row.version} if bulk.bound_to_version else {}
    try:
        says = bulk.act.perform(row.milestone_id, officer=officer, now=now, **fields, **bound)
    except Refusal as refusal:
        return Result(milestone_id=row.milestone_id, became=Became.REFUSED, says=refusal.detail)
    except release.BAD_ROW as error:
        sending.log_failure(row.milestone_id, error)
        return Result(milestone_id=row.milestone_id, became=Became.REFUSED, says=_FAILED)
    became = Became.RECORDED if says.startswith("Approval recorded") else Became.DONE
    return Result(milestone_id=row.milestone_id, became=became, says=says)
