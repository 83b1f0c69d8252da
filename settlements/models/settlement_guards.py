"""What the database itself keeps of settlements: their row, what lets money go, and the word of the provider."""

import pgtrigger

from rails.models.guards import Fsm, Guard
from settlements.models.guards import METHODS, changed, refuse, words_of
from settlements.statuses import STRATEGIES_FROM_LOOSE_TO_STRICT, RiskTier
from settlements.transitions import INITIAL, TRANSITIONS

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
        IF {changed(SETTLEMENT_IS)} THEN
            {refuse("intent, event type, amount, currency and origin of a settlement never change")}
        END IF;
        IF array_position(strategies, NEW.strategy::text) < array_position(strategies, OLD.strategy::text) THEN
            {refuse("a strategy is never loosened")}
        END IF;
        IF NEW.strategy = OLD.strategy AND {changed(DECISION_IS)} THEN
            {refuse("a decision is only ever replaced by a stricter one")}
        END IF;
        IF NEW.status = OLD.status AND {changed(RELEASE_IS)} THEN
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
