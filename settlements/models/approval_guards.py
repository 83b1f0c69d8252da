"""What the database itself keeps of approvals: four eyes, so that no path goes around them."""

import pgtrigger

from rails.models.guards import Guard
from rails.models.notice import BY_HAND
from settlements.models.guards import refuse, words_of
from settlements.statuses import Channel

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
