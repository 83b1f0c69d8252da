"""Reviews as an export: what people decide about or decided, one line per settlement."""

from typing import Final

from django.contrib.auth.models import User
from django.http import QueryDict
from django.utils import timezone

from compliance import filters as queue_filters
from compliance import queries
from compliance.filter_form import FilterForm
from compliance.queue_pages import asked
from settlements import candidates
from settlements.api.errors import RefusedFields
from settlements.api.query_parameters import Query
from settlements.exports import settlement_parts as parts
from settlements.exports.columns import boolean, number, text, time, word
from settlements.exports.datasets import Dataset, ListOfRows, register
from settlements.exports.filters import FilterInvalid, of_text, of_words
from settlements.exports.selections import Selection
from settlements.permissions import Scope

QUEUE: Final = "compliance.reviewqueue"
# What only people release, and what people dealt with though it releases by itself.
_LOOKED_AT: Final = """(
    s.amount_minor > 0 AND (
        s.strategy IN ('MANUAL_REVIEW', 'PENDING') OR s.rail = 'wire'
        OR EXISTS (SELECT 1 FROM settlements_approval a WHERE a.settlement_id = s.id)
        OR EXISTS (SELECT 1 FROM settlements_hold h WHERE h.settlement_id = s.id)
    )
)"""
_LAST_DECISION: Final = """
    LEFT JOIN LATERAL (
        SELECT lower(a.decision) AS word, u.username, a.created_at, a.channel, a.reason
        FROM settlements_approval a JOIN auth_user u ON u.id = a.approver_id
        WHERE a.settlement_id = s.id ORDER BY a.id DESC LIMIT 1
    ) last ON true
    LEFT JOIN LATERAL (
        SELECT count(*) AS number,
               string_agg(lower(a.decision) || ' by ' || u.username, '; ' ORDER BY a.id) AS told
        FROM settlements_approval a JOIN auth_user u ON u.id = a.approver_id WHERE a.settlement_id = s.id
    ) decisions ON true
    LEFT JOIN LATERAL (
        SELECT h.reason, h.placed_by, h.placed_at FROM settlements_hold h
        WHERE h.settlement_id = s.id AND h.lifted_at IS NULL
    ) hold ON true
"""
_DECISION: Final = """coalesce((
    SELECT lower(a.decision) FROM settlements_approval a WHERE a.settlement_id = s.id ORDER BY a.id DESC LIMIT 1
), 'none')"""


def queue_on_screen(query: QueryDict, user: User) -> Selection:
    """The review queue as it is on the screen. Raises FilterInvalid."""
    given = asked(query)
    try:
        wanted = queue_filters.read(Query(given, allowed=queue_filters.NAMES))
    except RefusedFields as refused:
        raise FilterInvalid("list", refused.faults[0].detail) from None
    sql, params = queries.keys(wanted, now=timezone.now())
    form = FilterForm(given)
    words = ", ".join(f"{form.label_of(name)}: {form.words_of(name, str(value))}" for name, value in given.items())
    return Selection(sql=sql, params=params, words=words or "waiting for a decision")


REVIEWS: Final = register(
    Dataset(
        name="reviews",
        version=1,
        title="Reviews",
        says="One line per settlement that people decide about or decided: why it waits, who decided what.",
        scope=Scope.COMPLIANCE_READ,
        table=parts.TABLE,
        source=f"""
            {parts.SOURCE}
            {_LAST_DECISION}
        """,
        key="s.id",
        base=parts.BASE,
        always=_LOOKED_AT,
        amount="s.amount_minor",
        currency="s.currency",
        columns=(
            *parts.NAMES,
            *parts.MONEY_AND_STATUS,
            word("strategy", "s.strategy", "The decision of the policy."),
            *parts.RISK,
            text("explanation", "s.explanation", "Why it waits, or waited, for people."),
            word("rail", "s.rail", "The payment method."),
            time("waiting_since", "s.created_at", "When it came."),
            text(
                "assignee",
                "(SELECT u.username FROM compliance_assignment a JOIN auth_user u ON u.id = a.assignee_id"
                " WHERE a.settlement_id = s.id AND a.ended_at IS NULL)",
                "The login of the officer who works on it.",
            ),
            number("approvals_required", "s.approvals_required", "How many officers must approve."),
            number("approvals_valid", candidates.APPROVALS, "How many have approved it as it is now."),
            text("decisions", "decisions.told", "Every decision in its order, separated by `; `."),
            word("decision", "last.word", "The last one: `approve` or `reject`."),
            text("decided_by", "last.username", "Whose that was."),
            time("decided_at", "last.created_at", "When."),
            word("channel", "last.channel", "How it came: `ITEM`, `BULK`, `API`, `SETTLE`."),
            text("reason", "last.reason", "Why, in the officer's words."),
            boolean("on_hold", "hold.placed_at IS NOT NULL", "Whether a hold is open."),
            text("hold_reason", "hold.reason", "Why."),
            text("held_by", "hold.placed_by", "Who put it on hold."),
            time("held_since", "hold.placed_at", "Since when."),
            text("blocked_reason", "s.blocked_reason", "What an authorised release waits for."),
        ),
        filters=(
            *parts.BY_DAY_AND_STATUS,
            of_words("decision", _DECISION, ("approve", "reject", "none"), "With this last decision, or none yet."),
            of_text(
                "decided_by",
                "EXISTS (SELECT 1 FROM settlements_approval a JOIN auth_user u ON u.id = a.approver_id"
                " WHERE a.settlement_id = s.id AND u.username = %s)",
                "Decided about by this officer; the login in full.",
            ),
            parts.BY_TIER,
            *parts.BY_EVENT_MONEY_AND_RECIPIENT,
            parts.BY_INTENT,
        ),
        lists=(ListOfRows(label=QUEUE, key="s.id", select=queue_on_screen),),
    )
)
