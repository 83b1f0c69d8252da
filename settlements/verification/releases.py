"""Was paid what was released, once, and by whom it had to be? Journal entries and approvals against settlements."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from settlements.verification.differences import Difference, Rule, keep, rows_of

_SETTLEMENTS = """
    SELECT s.id, s.status, s.rail, s.amount_minor, s.currency, s.reference,
           e.id, e.kind, e.amount_minor, e.currency, e.reference, e.reverses_id
    FROM settlements_milestonesettlement s
    LEFT JOIN rails_journalentry e ON e.milestone_id = s.id AND e.kind IN ('release', 'return')
    ORDER BY s.id, e.id
"""
_OUT = {"APPROVED", "SETTLED"}
_LOCAL_RAIL = "internal_ledger"

_ENTRIES = [
    Rule(
        "journal entry {0} ({1}): there is no settlement {2}",
        """
        SELECT e.id, e.reference, e.milestone_id FROM rails_journalentry e
        WHERE e.milestone_id IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM settlements_milestonesettlement s WHERE s.id = e.milestone_id)
        ORDER BY e.id
        """,
    ),
    Rule(
        "intent {0}: released less returned is {1} in minor units, more than its amount of {2}",
        """
        SELECT i.id, sum(CASE e.kind WHEN 'release' THEN e.amount_minor ELSE -e.amount_minor END), i.amount_minor
        FROM rails_journalentry e JOIN settlements_milestonesettlement s ON s.id = e.milestone_id
        JOIN settlements_paymentintent i ON i.id = s.intent_id
        WHERE e.kind IN ('release', 'return')
        GROUP BY i.id
        HAVING sum(CASE e.kind WHEN 'release' THEN e.amount_minor ELSE -e.amount_minor END) > i.amount_minor
        ORDER BY i.id
        """,
    ),
]
# An edit of the recipient voids an approval for the future only, so the version is any one that was approved fully.
# What was given another rail after it had failed or come back may need more approvers now than it did then.
_AUTHORITY = [
    Rule(
        "settlement {0}: its release needed {1} approvers of one version and had {2}",
        """
        SELECT s.id, s.approvals_required, coalesce(max(v.approvers), 0)
        FROM settlements_milestonesettlement s LEFT JOIN (
            SELECT settlement_id, count(DISTINCT approver_id) AS approvers FROM settlements_approval
            WHERE decision = 'APPROVE' GROUP BY settlement_id, version
        ) v ON v.settlement_id = s.id
        WHERE s.status IN ('RELEASING', 'APPROVED', 'SETTLED', 'RETURNED', 'FAILED')
          AND (s.strategy IN ('MANUAL_REVIEW', 'PENDING') OR s.rail = 'wire')
          AND NOT (s.status IN ('RETURNED', 'FAILED') AND EXISTS (
              SELECT 1 FROM settlements_auditevent t WHERE t.settlement_id = s.id AND t.action = 'rail_changed'))
        GROUP BY s.id HAVING coalesce(max(v.approvers), 0) < s.approvals_required ORDER BY s.id
        """,
    ),
    # A minute of grace: the entry carries the time at which its transaction began.
    Rule(
        "settlement {0}: it was released before its hold was over, with {2} of {1} approvers",
        """
        SELECT s.id, s.approvals_required, coalesce(max(v.approvers), 0)
        FROM settlements_milestonesettlement s
        JOIN rails_journalentry e ON e.milestone_id = s.id AND e.kind = 'release' AND e.attempt_number = 1
        LEFT JOIN (
            SELECT settlement_id, count(DISTINCT approver_id) AS approvers FROM settlements_approval
            WHERE decision = 'APPROVE' GROUP BY settlement_id, version
        ) v ON v.settlement_id = s.id
        WHERE s.strategy = 'DELAYED' AND e.created_at + interval '1 minute' < s.settlement_delayed_until
        GROUP BY s.id HAVING coalesce(max(v.approvers), 0) < s.approvals_required ORDER BY s.id
        """,
    ),
    Rule(
        "settlement {0}: user {1} approved its release, but created its intent",
        """
        SELECT a.settlement_id, a.approver_id FROM settlements_approval a
        JOIN settlements_milestonesettlement s ON s.id = a.settlement_id
        JOIN settlements_paymentintent i ON i.id = s.intent_id
        WHERE a.decision = 'APPROVE' AND a.approver_id = i.created_by_id ORDER BY a.settlement_id, a.id
        """,
    ),
    Rule(
        "settlement {0}: it is {1} although a hold on it is open",
        """
        SELECT s.id, lower(s.status) FROM settlements_milestonesettlement s
        JOIN settlements_hold h ON h.settlement_id = s.id AND h.lifted_at IS NULL
        WHERE s.status IN ('RELEASING', 'APPROVED', 'SETTLED') ORDER BY s.id
        """,
    ),
]


def check() -> int:
    """The number of settlements released and not returned; raises Difference where money and status disagree."""
    keep(_ENTRIES)
    out = 0
    with rows_of(_SETTLEMENTS) as rows:
        for _, group in groupby(rows, key=itemgetter(0)):
            out += _check_one(list(group))
    keep(_AUTHORITY)
    return out


def _check_one(rows: Sequence[tuple[Any, ...]]) -> bool:
    """Whether the settlement is out; `rows` repeat it with each of its entries, or once without any."""
    settlement_id, status, rail, amount_minor, currency, reference = rows[0][:6]
    entries = [row[6:] for row in rows if row[6] is not None]
    name = f"settlement {settlement_id}"
    returned: Counter[int] = Counter()
    for entry in entries:
        if entry[1] == "return":
            returned[entry[5]] += entry[2]
    standing = [entry for entry in entries if entry[1] == "release" and returned[entry[0]] < entry[2]]
    net = sum(entry[2] if entry[1] == "release" else -entry[2] for entry in entries)
    if net > amount_minor:
        raise Difference(f"{name}: released less returned is {net} in minor units, more than its {amount_minor}")
    if status in _OUT and rail == _LOCAL_RAIL:
        if len(standing) != 1:
            raise Difference(f"{name}: it is {status.lower()}, but the journal has {len(standing)} releases of it")
        entry_id, _, booked, booked_in, booked_as, _ = standing[0]
        if (booked, booked_in, booked_as) != (amount_minor, currency, reference):
            raise Difference(
                f"{name}: it is {amount_minor} {currency} in minor units under {reference}, but entry {entry_id} "
                f"books {booked} {booked_in} under {booked_as}"
            )
    elif status not in _OUT and status != "RELEASING" and (standing or net):
        raise Difference(f"{name}: it is {status.lower()}, but {net} in minor units are booked as released")
    return status in _OUT
