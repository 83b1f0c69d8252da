"""The rules that the database itself keeps for the settlement tables, in PL/pgSQL; the migrations carry them.

Triggers refuse, they never compute. A refusal is a check violation, so it reaches Python as IntegrityError.
"""

from collections.abc import Iterable

import pgtrigger

from rails.base import SettlementProvider
from rails.models.guards import Fsm, Guard
from rails.models.guards import append_only as append_only
from rails.models.guards import never_removed as never_removed
from rails.models.notice import BY_HAND
from settlements.statuses import STRATEGIES_FROM_LOOSE_TO_STRICT, Channel, RiskTier
from settlements.transitions import INITIAL, TRANSITIONS

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
            IF ({_of("NEW", columns)}) IS DISTINCT FROM ({_of("OLD", columns)}) THEN
                {refuse(f"these columns never change: {names}")}
            END IF;
            RETURN NEW;
        """,
    )


def _of(row: str, columns: Iterable[str]) -> str:
    return ", ".join(f"{row}.{column}" for column in columns)


def words_of(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


STATUS_EDGES = Fsm(
    name="status_follows_the_table",
    field="status",
    transitions=sorted((old.value, new.value) for old, news in TRANSITIONS.items() for new in news),
)

# None was set: 0, so that two approve everything (`settlements.four_eyes` says the same).
_FOUR_EYES_ABOVE = """coalesce((SELECT l.above_minor FROM settlements_foureyeslimit l
                                   WHERE l.currency = NEW.currency ORDER BY l.id DESC LIMIT 1), 0)"""

SETTLEMENT_IS = ("id", "intent_id", "event_type", "amount_minor", "currency", "origin", "event_id", "created_at")
DECISION_IS = ("risk_tier", "risk_score", "rule", "explanation", "inputs", "policy_version")
RELEASE_IS = ("reference", "released_at", "settled_at")

# Words and amounts: in the trigger, not in CHECKs, which PostgreSQL reads anew for every statement (ADR 0018).
# On insert: the initial statuses, a live intent. On update: what never changes and what only tightens.
SETTLEMENT_ROW = Guard(
    name="row_is_lawful",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert | pgtrigger.Update,
    declare=[("strategies", "text[]"), ("intent", "record")],
    func=f"""
        strategies := ARRAY[{words_of(STRATEGIES_FROM_LOOSE_TO_STRICT)}];
        IF array_position(strategies, NEW.strategy::text) IS NULL
           OR NEW.risk_tier NOT IN ({words_of(RiskTier)})
           OR NEW.rail NOT IN ({words_of(METHODS)})
        THEN
            {refuse("strategy, tier and rail of a settlement are known words")}
        END IF;
        IF NEW.rail = 'wire' AND NEW.approvals_required < 2 THEN
            {refuse("a wire needs two approvers")}
        END IF;
        IF NEW.risk_tier = 'HIGH' AND NEW.strategy IN ('IMMEDIATE', 'DELAYED') THEN
            {refuse("at HIGH risk only people release")}
        END IF;
        IF TG_OP = 'INSERT' THEN
            IF NOT ((NEW.origin = 'EVENT' AND NEW.event_id IS NOT NULL)
                    OR (NEW.origin = 'SETTLE' AND NEW.event_id IS NULL)) THEN
                {refuse("a settlement that an event brought names its event")}
            END IF;
            IF NEW.status NOT IN ({words_of(sorted(INITIAL))}) THEN
                {refuse("a settlement does not begin in this status")}
            END IF;
            SELECT i.status, i.risk_tier INTO intent FROM settlements_paymentintent i WHERE i.id = NEW.intent_id;
            IF intent.status IN ('CANCELLED', 'REJECTED') THEN
                {refuse("a cancelled or rejected intent gets no settlements")}
            END IF;
            IF intent.risk_tier = 'HIGH' AND NEW.risk_tier <> 'HIGH' THEN
                {refuse("the risk of an intent is the least that its settlements have")}
            END IF;
            IF NEW.approvals_required < 2 AND NEW.amount_minor > {_FOUR_EYES_ABOVE} THEN
                {refuse("above the four-eyes amount a settlement needs two approvers")}
            END IF;
            RETURN NEW;
        END IF;
        IF ({_of("NEW", SETTLEMENT_IS)}) IS DISTINCT FROM ({_of("OLD", SETTLEMENT_IS)}) THEN
            {refuse("intent, event type, amount, currency and origin of a settlement never change")}
        END IF;
        IF array_position(strategies, NEW.strategy::text) < array_position(strategies, OLD.strategy::text) THEN
            {refuse("a strategy is never loosened")}
        END IF;
        IF NEW.strategy = OLD.strategy AND ({_of("NEW", DECISION_IS)}) IS DISTINCT FROM ({_of("OLD", DECISION_IS)}) THEN
            {refuse("a decision is only ever replaced by a stricter one")}
        END IF;
        IF NEW.status = OLD.status AND ({_of("NEW", RELEASE_IS)}) IS DISTINCT FROM ({_of("OLD", RELEASE_IS)}) THEN
            {refuse("what is told of a release changes only with the status")}
        END IF;
        IF OLD.settlement_delayed_until IS NOT NULL
           AND (NEW.settlement_delayed_until IS NULL OR NEW.settlement_delayed_until < OLD.settlement_delayed_until)
        THEN
            {refuse("a hold never ends earlier than it was set to")}
        END IF;
        IF NEW.approvals_required < OLD.approvals_required THEN
            {refuse("the number of approvals required is only ever raised")}
        END IF;
        IF NEW.rail <> OLD.rail AND OLD.status NOT IN ('PENDING', 'DELAYED', 'FAILED', 'RETURNED') THEN
            {refuse("the rail is frozen once the settlement was submitted")}
        END IF;
        RETURN NEW;
    """,
)

# The recipient has what counted as returned of an attempt: to pay again would be to pay twice.
KEPT_BY_RECIPIENT = """EXISTS (
                SELECT 1 FROM rails_railattempt kept WHERE kept.milestone_id = {settlement} AND kept.owed_minor > 0)"""

# Who said of a payment that it was refused, came back, or was to be taken back, and when: settlement, user, moment.
SAYINGS = """
    SELECT e.milestone_id, f.refused_by_id, f.refused_at
        FROM rails_achentry e JOIN rails_achfile f ON f.id = e.file_id WHERE f.refused_by_id IS NOT NULL
    UNION ALL SELECT e.milestone_id, f.uploaded_by_id, f.read_at
        FROM rails_achentry e JOIN rails_achinbounditem t ON t.entry_id = e.id
        JOIN rails_achinboundfile f ON f.id = t.file_id WHERE t.kind = 'RETURN' AND f.uploaded_by_id IS NOT NULL
    UNION ALL SELECT e.milestone_id, t.dealt_by_id, t.dealt_at
        FROM rails_achentry e JOIN rails_achinbounditem t ON t.entry_id = e.id
        WHERE t.kind <> 'CHANGE' AND t.dealt_by_id IS NOT NULL
    UNION ALL SELECT e.milestone_id, r.asked_by_id, r.asked_at
        FROM rails_achentry e JOIN rails_achreversal r ON r.entry_id = e.id
    UNION ALL SELECT e.milestone_id, o.said_by_id, o.created_at
        FROM rails_achentry e JOIN rails_achoutcome o ON o.entry_id = e.id WHERE o.said_by_id IS NOT NULL
    UNION ALL SELECT e.milestone_id, w.said_by_id, w.said_at
        FROM rails_wireentry e JOIN rails_wireanswer w ON w.entry_id = e.id WHERE w.word IN ('REFUSED', 'RETURNED')
    UNION ALL SELECT e.milestone_id, v.proposed_by_id, v.confirmed_at
        FROM rails_achentry e JOIN rails_fileverdict v ON v.ach_file_id = e.file_id
        WHERE v.verdict = 'NEVER_SENT' AND v.confirmed_at IS NOT NULL
    UNION ALL SELECT e.milestone_id, v.confirmed_by_id, v.confirmed_at
        FROM rails_achentry e JOIN rails_fileverdict v ON v.ach_file_id = e.file_id
        WHERE v.verdict = 'NEVER_SENT' AND v.confirmed_at IS NOT NULL
    UNION ALL SELECT e.milestone_id, v.proposed_by_id, v.confirmed_at
        FROM rails_wireentry e JOIN rails_fileverdict v ON v.wire_file_id = e.file_id
        WHERE v.verdict = 'NEVER_SENT' AND v.confirmed_at IS NOT NULL
    UNION ALL SELECT e.milestone_id, v.confirmed_by_id, v.confirmed_at
        FROM rails_wireentry e JOIN rails_fileverdict v ON v.wire_file_id = e.file_id
        WHERE v.verdict = 'NEVER_SENT' AND v.confirmed_at IS NOT NULL
"""
# They have no part in approving the next attempt (ADR 0051).
SAID_IT_CAME_BACK = f"""EXISTS (
            SELECT 1 FROM ({SAYINGS}) AS saying (settlement_id, user_id, said_at)
            WHERE saying.settlement_id = {{settlement}} AND saying.user_id = {{officer}})"""

# Every move that lets money go is authorised, and nothing stands in its way (SPEC section 6). A new settlement has no
# hold yet, and SETTLEMENT_ROW has looked at its intent.
SETTLEMENT_CLAIM = Guard(
    name="release_is_authorised",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert | pgtrigger.Update,
    declare=[("approvers", "integer"), ("is_local", "boolean"), ("went_out_before", "boolean DEFAULT false")],
    func=f"""
        IF NEW.status NOT IN ('RELEASING', 'APPROVED') THEN
            RETURN NEW;
        END IF;
        IF TG_OP = 'UPDATE' THEN
            IF OLD.status = 'RELEASING' AND NEW.rail = 'internal_ledger' AND NEW.reference <> OLD.reference THEN
                {refuse("what the ledger booked keeps its reference")}
            END IF;
            IF OLD.status NOT IN ('PENDING', 'DELAYED', 'FAILED', 'RETURNED') THEN
                RETURN NEW;
            END IF;
            went_out_before := OLD.status IN ('FAILED', 'RETURNED');
        END IF;
        -- To pay again would be to pay twice.
        IF went_out_before AND rails_paid_though_refused(NEW.id) THEN
            {refuse("the provider says that it paid what we took for refused")}
        END IF;
        IF went_out_before AND {KEPT_BY_RECIPIENT.format(settlement="NEW.id")} THEN
            {refuse("the recipient has what counted as returned")}
        END IF;
        is_local := NEW.rail = 'internal_ledger';
        IF NOT went_out_before AND is_local <> (NEW.status = 'APPROVED') THEN
            {refuse("a local rail approves at once, a remote rail passes through RELEASING")}
        END IF;
        IF TG_OP = 'UPDATE' THEN
            IF EXISTS (SELECT 1 FROM settlements_paymentintent i
                       WHERE i.id = NEW.intent_id AND i.cancelled_at IS NOT NULL) THEN
                {refuse("nothing is released for a cancelled intent")}
            END IF;
            IF EXISTS (SELECT 1 FROM settlements_hold h WHERE h.settlement_id = NEW.id AND h.lifted_at IS NULL) THEN
                {refuse("nothing is released while a hold is open")}
            END IF;
        END IF;
        IF NEW.strategy IN ('MANUAL_REVIEW', 'PENDING') OR NEW.rail = 'wire' OR went_out_before OR (
            NEW.strategy = 'DELAYED'
            AND (NEW.settlement_delayed_until IS NULL OR NEW.settlement_delayed_until > clock_timestamp())
        ) THEN
            SELECT count(DISTINCT a.approver_id) INTO approvers FROM settlements_approval a
            WHERE a.settlement_id = NEW.id AND a.decision = 'APPROVE'
              AND a.version = settlements_settlement_version(
                  NEW.id, NEW.intent_id, NEW.amount_minor, NEW.currency, NEW.rail, NEW.strategy);
            IF approvers < NEW.approvals_required THEN
                {refuse("this release needs more approvers than have approved what it is now")}
            END IF;
        END IF;
        IF is_local AND NOT EXISTS (
            SELECT 1 FROM rails_journalentry j WHERE j.kind = 'release' AND j.milestone_id = NEW.id
            AND j.amount_minor = NEW.amount_minor AND j.currency = NEW.currency AND j.reference = NEW.reference
            AND NOT (went_out_before AND EXISTS (SELECT 1 FROM rails_journalentry b WHERE b.reverses_id = j.id))
        ) THEN
            {refuse("a release by the internal ledger has its journal entry")}
        END IF;
        IF NOT is_local AND NOT EXISTS (
            SELECT 1 FROM rails_railattempt a WHERE a.milestone_id = NEW.id AND a.state IN ('PREPARED', 'SUBMITTED')
            AND a.amount_minor = NEW.amount_minor AND a.currency = NEW.currency AND lower(a.provider) = NEW.rail
        ) THEN
            {refuse("a release by a provider has its attempt, written before the provider is called")}
        END IF;
        RETURN NEW;
    """,
)

# What became of money at a provider is on its attempt, and in the books, before it is on the settlement.
PROVIDERS_WORD = Guard(
    name="told_by_its_attempt",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    condition=pgtrigger.Condition(
        "OLD.status IN ('RELEASING', 'APPROVED', 'SETTLED') AND NEW.status <> OLD.status"
        " AND NEW.rail <> 'internal_ledger'"
    ),
    declare=[("attempt", "rails_railattempt"), ("expected", "text")],
    func=f"""
        SELECT * INTO attempt FROM rails_railattempt a WHERE a.milestone_id = NEW.id ORDER BY a.number DESC LIMIT 1;
        expected := CASE NEW.status WHEN 'APPROVED' THEN 'ACCEPTED' WHEN 'FAILED' THEN 'REFUSED'
            WHEN 'SETTLED' THEN 'CONFIRMED' WHEN 'RETURNED' THEN 'RETURNED' END;
        IF attempt.state IS DISTINCT FROM expected OR lower(attempt.provider) <> NEW.rail
           OR (NEW.status <> 'FAILED' AND attempt.reference <> NEW.reference) THEN
            {refuse("what a provider said stands on its attempt first")}
        END IF;
        IF NEW.status IN ('APPROVED', 'SETTLED') AND NOT EXISTS (
            SELECT 1 FROM rails_journalentry j WHERE j.kind = 'release' AND j.milestone_id = NEW.id
            AND j.attempt_number = attempt.number AND j.amount_minor = NEW.amount_minor AND j.currency = NEW.currency
        ) THEN
            {refuse("what a provider took is booked as released")}
        END IF;
        RETURN NEW;
    """,
)

# Four eyes live here too, so that no path goes around them (SPEC section 10).
APPROVAL_ROW = Guard(
    name="approver_is_independent",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    declare=[
        ("s", "settlements_milestonesettlement"),
        ("i", "settlements_paymentintent"),
        ("last_payment", "timestamptz"),
    ],
    func=f"""
        IF NOT EXISTS (SELECT 1 FROM auth_user u WHERE u.id = NEW.approver_id AND u.is_active AND u.is_staff) THEN
            {refuse("an active member of staff decides")}
        END IF;
        SELECT * INTO STRICT s FROM settlements_milestonesettlement WHERE id = NEW.settlement_id;
        SELECT * INTO STRICT i FROM settlements_paymentintent WHERE id = s.intent_id;
        IF s.status NOT IN ('PENDING', 'DELAYED', 'FAILED', 'RETURNED') OR s.amount_minor = 0 THEN
            {refuse("this settlement does not wait for a decision")}
        END IF;
        IF NEW.version <> settlements_settlement_version(
            s.id, s.intent_id, s.amount_minor, s.currency, s.rail, s.strategy) THEN
            {refuse("a decision is about the settlement as it is now")}
        END IF;
        IF NEW.decision <> 'APPROVE' THEN
            RETURN NEW;
        END IF;
        IF i.created_by_id = NEW.approver_id THEN
            {refuse("the creator of an intent does not approve its release")}
        END IF;
        IF EXISTS (SELECT 1 FROM rails_railattempt a JOIN rails_railnotice n ON n.attempt_id = a.id
                   WHERE a.milestone_id = s.id AND n.outcome IN ('REFUSED', 'RECOVERED')
                   AND n.source = '{BY_HAND}' || NEW.approver_id) THEN
            {refuse("who recorded by hand that it was refused or given back does not approve its next attempt")}
        END IF;
        IF {SAID_IT_CAME_BACK.format(settlement="s.id", officer="NEW.approver_id")} THEN
            {refuse("who said that it was refused, back or to be taken back does not approve its next attempt")}
        END IF;
        IF i.recipient_id IS NOT NULL THEN
            SELECT max(p.released_at) INTO last_payment
            FROM settlements_milestonesettlement p JOIN settlements_paymentintent pi ON pi.id = p.intent_id
            WHERE pi.recipient_id = i.recipient_id AND p.status IN ('APPROVED', 'SETTLED');
            IF EXISTS (SELECT 1 FROM rails_recipientedit e
                       WHERE e.recipient_id = i.recipient_id AND e.edited_by_id = NEW.approver_id
                       AND (last_payment IS NULL OR e.created_at > last_payment)) THEN
                {refuse("who edited the recipient since its last payment does not approve a release to it")}
            END IF;
        END IF;
        RETURN NEW;
    """,
)

# Rows from before the question was asked keep UNKNOWN, and no new row may say it.
APPROVAL_CHANNEL = Guard(
    name="channel_is_told",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    func=f"""
        IF NEW.channel NOT IN ({words_of(word for word in Channel if word is not Channel.UNKNOWN)}) THEN
            {refuse("a decision tells how it came: item page, bulk, API or settle request")}
        END IF;
        RETURN NEW;
    """,
)

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
        ELSIF NOT EXISTS (SELECT 1 FROM settlements_auditevent a WHERE a.intent_id = NEW.intent_id
                          AND a.sequence = NEW.sequence - 1 AND a.hash = NEW.prev_hash) THEN
            {refuse("an audit event carries the hash of the one before it")}
        END IF;
        RETURN NEW;
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
