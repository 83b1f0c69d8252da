"""What the rules have in common that the database itself keeps for our tables, and those of intents and histories.

In PL/pgSQL; the migrations carry them. `settlement_guards` and `approval_guards` have the rules of those tables.

Triggers refuse, they never compute. A refusal is a check violation, so it reaches Python as IntegrityError.
"""

from collections.abc import Iterable, Sequence

import pgtrigger

from rails.base import SettlementProvider
from rails.models.guards import Guard
from rails.models.guards import append_only as append_only
from rails.models.guards import never_removed as never_removed
from rails.models.guards import never_truncated as never_truncated
from rails.models.guards import never_updated as never_updated

METHODS = [provider.method for provider in SettlementProvider]


def refuse(sentence: str) -> str:
    """A statement that refuses the row with this sentence."""
    return f"RAISE EXCEPTION '{sentence}' USING ERRCODE = 'check_violation';"


def fixed(*columns: str) -> Guard:
    """These columns keep the value they were written with."""
    names = ", ".join(columns)
    return Guard(
        name="fixed_columns",
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        func=f"""
            IF {changed(columns)} THEN
                {refuse(f"these columns never change: {names}")}
            END IF;
            RETURN NEW;
        """,
    )


def changed(columns: Sequence[str]) -> str:
    """Whether an update changes any of these columns, as a condition."""
    new, old = (", ".join(f"{row}.{column}" for column in columns) for row in ("NEW", "OLD"))
    return f"({new}) IS DISTINCT FROM ({old})"


def words_of(words: Iterable[str]) -> str:
    """Stored words as a list in SQL."""
    return ", ".join(f"'{word}'" for word in words)


CANCELLED_IS_FINAL = Guard(
    name="cancelled_is_final",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    condition=pgtrigger.Condition("OLD.cancelled_at IS NOT NULL"),
    func=f"""
        IF NEW.cancelled_at IS DISTINCT FROM OLD.cancelled_at THEN
            {refuse("a cancelled intent stays cancelled")}
        END IF;
        RETURN NEW;
    """,
)

# The chain of an intent has no gap and no fork.
AUDIT_CHAIN = Guard(
    name="chain_is_unbroken",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    func=f"""
        IF NEW.sequence = 1 THEN
            IF NEW.prev_hash <> decode(repeat('00', 32), 'hex') THEN
                {refuse("the first audit event of an intent follows nothing")}
            END IF;
        ELSIF NOT EXISTS (SELECT 1 FROM public.settlements_auditevent a WHERE a.intent_id = NEW.intent_id
                          AND a.sequence = NEW.sequence - 1 AND a.hash = NEW.prev_hash) THEN
            {refuse("an audit event carries the hash of the one before it")}
        END IF;
        RETURN NEW;
    """,
)

# Removes what the record of an archive names, a few chains at a time; the migration has it.
REMOVES_WHAT_IS_ARCHIVED = "settlements_remove_archived(bigint,bigint,integer)"
# An audit event leaves the table by that function alone, and only if an archive has it, a later one of its chain
# stays, and no message to a subscriber has still to be made of it. The context is the stack of functions under way,
# which no setting changes.
LEAVES_BY_AN_ARCHIVE = Guard(
    name="rows_leave_by_an_archive",
    when=pgtrigger.Before,
    operation=pgtrigger.Delete,
    declare=[("under_way", "text")],
    func=f"""
        GET DIAGNOSTICS under_way = PG_CONTEXT;
        IF strpos(under_way, '{REMOVES_WHAT_IS_ARCHIVED}') = 0 OR NOT EXISTS (
                SELECT 1 FROM settlements_archivedchain c JOIN settlements_auditarchive a ON a.id = c.archive_id
                WHERE c.intent_id = OLD.intent_id AND c.first_sequence <= OLD.sequence
                  AND c.last_sequence > OLD.sequence) OR EXISTS (
                SELECT 1 FROM settlements_delivery d WHERE d.audit_event_id = OLD.id AND d.payload = '') THEN
            RAISE EXCEPTION 'Cannot delete rows from % table but what an archive has', TG_TABLE_NAME
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN OLD;
    """,
)

# Checked when the transaction commits, for the items follow their intent.
SCHEDULE_SUM = f"""
    IF (SELECT (coalesce(sum(item.amount_minor), 0), coalesce(sum(item.share), 0), bool_and(item.currency = i.currency))
               IS DISTINCT FROM (i.amount_minor::numeric, 1::numeric, true)
        FROM settlements_paymentintent i LEFT JOIN settlements_paymentscheduleitem item ON item.intent_id = i.id
        WHERE i.id = {{intent}} GROUP BY i.id, i.amount_minor, i.currency) THEN
        {refuse("the items of a schedule sum to the amount of their intent")}
    END IF;
    RETURN NULL;
"""


def schedule_sums_up(intent: str) -> Guard:
    """At commit the items of the intent in column `intent` sum to its amount and their shares to 1."""
    return Guard(
        name="schedule_sums_up",
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        timing=pgtrigger.Deferred,
        func=SCHEDULE_SUM.format(intent=f"NEW.{intent}"),
    )


def lifted_once() -> Guard:
    """A hold keeps who placed it and why; lifting is the one change, and it is final."""
    return Guard(
        name="lifted_once",
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        func=f"""
            IF OLD.lifted_at IS NOT NULL OR NEW.lifted_at IS NULL OR
               (NEW.settlement_id, NEW.reason, NEW.placed_by, NEW.placed_at)
               IS DISTINCT FROM (OLD.settlement_id, OLD.reason, OLD.placed_by, OLD.placed_at) THEN
                {refuse("a hold can only be lifted, once")}
            END IF;
            RETURN NEW;
        """,
    )
