"""The views as data: the columns that the exports have, with the types of the database instead of texts for a file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from settlements.exports.audit_trail import AUDIT_EVENTS
from settlements.exports.columns import Column, Kind, amount, boolean, major_sql, number, text, time, word
from settlements.exports.datasets import Dataset
from settlements.exports.journal import POSTINGS
from settlements.exports.settlement_lines import SETTLEMENTS
from settlements.reporting import redacted

SCHEMA: Final = "reporting"

# What people and providers wrote in their own words, and so may hold anything.
_OWN_WORDS: Final = frozenset({"reason", "explanation", "error", "blocked_reason", "description"})


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One view: `source` is SQL after FROM, a row of it a row of the view; `says` what a row is.

    A column keeps its name, its meaning and its type for ever; new ones are put at the end.
    """

    name: str
    says: str
    source: str
    columns: Sequence[Column]

    @property
    def full_name(self) -> str:
        """With its schema."""
        return f"{SCHEMA}.{self.name}"

    def create(self, schema: str) -> str:
        """The statement that makes it."""
        columns = ",\n    ".join(f'{_value(column, schema)} AS "{column.name}"' for column in self.columns)
        source = "\n".join(line.strip() for line in self.source.splitlines() if line.strip())
        return f"CREATE VIEW {schema}.{self.name} AS SELECT\n    {columns}\nFROM {source}"

    def comments(self, schema: str) -> list[str]:
        """The statements that say in the database what the documents say."""
        return [
            f"COMMENT ON VIEW {schema}.{self.name} IS {_literal(self.says)}",
            *(
                f"COMMENT ON COLUMN {schema}.{self.name}.{column.name} IS {_literal(column.says)}"
                for column in self.columns
            ),
        ]


def statements(schema: str = SCHEMA) -> list[str]:
    """All that makes the views, in an empty schema."""
    made = [view.create(schema) for view in VIEWS]
    return [redacted.function(schema), *made, *(each for view in VIEWS for each in view.comments(schema))]


def _value(column: Column, schema: str) -> str:
    """Empty texts are null, money is numeric in major units with the currency's digits."""
    typed = _TYPED[column.kind](column)
    return f"{schema}.redacted({typed})" if column.name in _OWN_WORDS else typed


_TYPED: Final[Mapping[Kind, Callable[[Column], str]]] = {
    Kind.TEXT: lambda column: f"NULLIF({column.sql}, '')",
    Kind.WORD: lambda column: f"NULLIF({column.sql}, '')",
    Kind.NUMBER: lambda column: column.sql,
    Kind.AMOUNT: lambda column: major_sql(column.sql, column.currency),
    Kind.TIME: lambda column: column.sql,
    Kind.HASH: lambda column: f"encode({column.sql}, 'hex')",
    Kind.BOOLEAN: lambda column: column.sql,
}


def _literal(words: str) -> str:
    return "'" + words.replace("'", "''") + "'"


def _as_exported(dataset: Dataset, name: str, *, but: Sequence[str] = ()) -> View:
    return View(
        name=name,
        says=dataset.says,
        source=dataset.source,
        columns=[column for column in dataset.columns if column.name not in but],
    )


# Two kinds of decisions under each other, each found by its own table's indexes.
_DECISIONS: Final = """
    (
        SELECT s.id AS settlement_id, NULL::bigint AS approval_id, 'policy' AS made_by, s.strategy AS decision,
            NULL::text AS officer, NULL::text AS channel, s.explanation AS reason, s.rule, s.policy_version,
            s.risk_tier, s.risk_score, NULL::text AS version, s.created_at AS decided_at
        FROM settlements_milestonesettlement s
        UNION ALL
        SELECT a.settlement_id, a.id, 'officer', a.decision, u.username::text, a.channel, a.reason, NULL, NULL,
            NULL, NULL, a.version, a.created_at
        FROM settlements_approval a JOIN auth_user u ON u.id = a.approver_id
    ) d
    JOIN settlements_milestonesettlement s ON s.id = d.settlement_id
"""
_EVENTS: Final = """
    settlements_shipmentevent e
    JOIN settlements_eventsource c ON c.id = e.source_id
    JOIN settlements_shipment p ON p.id = e.shipment_id
"""

VIEWS: Final = (
    _as_exported(SETTLEMENTS, "settlements"),
    View(
        name="decisions",
        says="One row per decision about a settlement: what the policy decided, as it stands, and what each officer "
        "decided.",
        source=_DECISIONS,
        columns=(
            number("milestone_id", "d.settlement_id", "The milestone settlement decided about."),
            number("payment_intent_id", "s.intent_id", "The payment intent it belongs to."),
            word("made_by", "d.made_by", "`policy` or `officer`."),
            number("approval_id", "d.approval_id", "The officer's decision; empty for the policy's."),
            word("decision", "d.decision", "The policy's strategy, or the officer's `APPROVE` or `REJECT`."),
            text("officer", "d.officer", "The officer's login."),
            word("channel", "d.channel", "How the officer's came: `ITEM`, `BULK`, `API`, `SETTLE`."),
            text("reason", "d.reason", "The officer's reason, or the policy's decision in words."),
            text("rule", "d.rule", "The rule of the policy that fired."),
            word("policy_version", "d.policy_version", "The version of the policy."),
            word("risk_tier", "d.risk_tier", "The tier the policy decided by."),
            number("risk_score", "trim_scale(d.risk_score)", "The score the policy decided by; empty if unknown."),
            text("settlement_version", "d.version", "Which version of the settlement the officer decided about."),
            time("decided_at", "d.decided_at", "When."),
            word("event_type", "s.event_type", "What the settlement is paid for."),
            amount("amount", "s.amount_minor", "The settlement's amount.", currency="s.currency"),
            word("currency", "s.currency", "ISO 4217."),
        ),
    ),
    _as_exported(POSTINGS, "journal"),
    # What is recorded beside in `data` differs by action and may hold a destination's particulars.
    _as_exported(AUDIT_EVENTS, "audit", but=["data"]),
    View(
        name="events",
        says="One row per shipment event received: from whom, what of, and what became of it; not the message itself.",
        source=_EVENTS,
        columns=(
            number("event_id", "e.id", "The shipment event."),
            text("source", "c.name", "Who posted it."),
            word("source_kind", "c.kind", "What kind of source that is."),
            text("message_id", "e.message_id", "Under which message id, unique for the source."),
            text("shipment_id", "p.shipment_id", "The shipment, as the upstream writes it."),
            word("event_type", "e.event_type", "What happened to it."),
            time("occurred_at", "e.occurred_at", "When it happened, by the source."),
            boolean("occurred_at_was_naive", "e.occurred_at_was_naive", "Whether the source gave no offset; then UTC."),
            time("received_at", "e.received_at", "When we received it."),
            word("state", "e.state", "What became of it."),
            number("settlements_created", "e.settlements_created", "How many settlements it brought."),
            time("processed_at", "e.processed_at", "When it was processed."),
            text("error", "e.error", "Why it was not."),
        ),
    ),
)
