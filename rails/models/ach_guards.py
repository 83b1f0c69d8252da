"""What the database refuses of ACH, in SQL."""


def _refuse(sentence: str, *values: str) -> str:
    arguments = "".join(f", {value}" for value in values)
    return f"RAISE EXCEPTION '{sentence}'{arguments} USING ERRCODE = 'check_violation';"


_FATE = (
    "ARRAY['state', 'handed_over_at', 'settled_at', 'lost_at', 'lost_words', 'known_sent_at', 'known_sent_words', "
    "'refused_at', 'refused_by_id', 'refused_by_actor', 'refused_reason']"
)

# What was written of a file stays; each later fact is written once.
ONLY_ITS_FATE_FOLLOWS = f"""
    IF (to_jsonb(NEW) - {_FATE}) IS DISTINCT FROM (to_jsonb(OLD) - {_FATE})
        OR (OLD.handed_over_at IS NOT NULL AND NEW.handed_over_at IS DISTINCT FROM OLD.handed_over_at)
        OR (OLD.known_sent_at IS NOT NULL AND NEW.known_sent_at IS DISTINCT FROM OLD.known_sent_at)
        OR (OLD.settled_at IS NOT NULL AND NEW.settled_at IS DISTINCT FROM OLD.settled_at)
        OR OLD.state IN ('REFUSED', 'NEVER_SENT') THEN
        {_refuse("ACH file %: what was written stays so", "OLD.name")}
    END IF;
    RETURN NEW;
"""

ENTRIES_SUM_TO_THE_FILE = f"""
    SELECT count(*), COALESCE(sum(amount_minor) FILTER (WHERE transaction_code IN ('27', '37')), 0),
        COALESCE(sum(amount_minor) FILTER (WHERE transaction_code IN ('22', '32')), 0)
        INTO entries, debits, credits FROM rails_achentry WHERE file_id = NEW.id;
    IF entries <> NEW.entry_count OR debits <> NEW.debits_minor OR credits <> NEW.credits_minor THEN
        {_refuse("ACH file %: its entries are %, debits %, credits %", "NEW.name", "entries", "debits", "credits")}
    END IF;
    RETURN NULL;
"""

# A file that is committed is complete, so no entry is ever added to it.
A_FILE_TAKES_NO_MORE = f"""
    IF EXISTS (
        SELECT 1 FROM (SELECT DISTINCT file_id FROM new_entries) touched JOIN rails_achfile f ON f.id = touched.file_id
        WHERE f.entry_count < (SELECT count(*) FROM rails_achentry e WHERE e.file_id = f.id)
    ) THEN
        {_refuse("An ACH file takes no more entries than it was made for")}
    END IF;
    RETURN NULL;
"""

ONE_AT_A_TIME = f"""
    SELECT * INTO file FROM rails_achfile WHERE id = NEW.file_id;
    IF file.id IS NULL OR file.state <> 'STAGED' THEN
        {_refuse("ACH entry %: its file is closed", "NEW.trace_number")}
    END IF;
    IF NEW.kind = 'PAYMENT' THEN
        -- Locked, so that nobody takes the attempt for not handed over while this is committed.
        SELECT * INTO attempt FROM rails_railattempt
        WHERE milestone_id = NEW.milestone_id AND number = NEW.attempt_number FOR SHARE;
        IF FOUND AND
            ROW(attempt.provider, attempt.state, attempt.amount_minor, attempt.currency, attempt.destination_id)
            IS DISTINCT FROM ROW('ACH', 'SUBMITTED', NEW.amount_minor, 'USD', NEW.destination_id) THEN
            {_refuse("ACH entry %: its attempt is not being submitted so", "NEW.trace_number")}
        END IF;
    END IF;
    IF NEW.kind = 'PAYMENT' AND NEW.attempt_number > 1 AND rails_paid_though_refused(NEW.milestone_id) THEN
        {_refuse("ACH entry %: the provider says that it paid an earlier attempt", "NEW.trace_number")}
    END IF;
    IF NEW.kind = 'PAYMENT' AND EXISTS (
        SELECT 1 FROM rails_railattempt kept WHERE kept.milestone_id = NEW.milestone_id AND kept.owed_minor > 0
    ) THEN
        {_refuse("ACH entry %: the recipient has what counted as returned of an earlier one", "NEW.trace_number")}
    END IF;
    IF NEW.kind = 'PAYMENT' AND EXISTS (
        SELECT 1 FROM rails_achentry earlier WHERE earlier.milestone_id = NEW.milestone_id AND earlier.kind = 'PAYMENT'
        AND NOT rails_ach_payment_is_over(earlier.id)
    ) THEN
        {_refuse("ACH entry %: another one of the milestone has not come back", "NEW.trace_number")}
    END IF;
    RETURN NEW;
"""

OUTCOMES_FOLLOW_HANDING_OVER = f"""
    IF NOT EXISTS (
        SELECT 1 FROM rails_achentry e JOIN rails_achfile f ON f.id = e.file_id
        WHERE e.id = NEW.entry_id AND f.state <> 'STAGED'
    ) THEN
        {_refuse("ACH entry %: nothing becomes of what the bank does not have", "NEW.entry_id")}
    END IF;
    IF NEW.fate = 'CONFIRMED' AND EXISTS (SELECT 1 FROM rails_achentry e JOIN rails_achfile f ON f.id = e.file_id
            WHERE e.id = NEW.entry_id AND f.state = 'NEVER_SENT') THEN
        {_refuse("ACH entry %: what was never sent does not arrive", "NEW.entry_id")}
    END IF;
    IF NEW.heard_at IS NOT NULL THEN
        {_refuse("ACH entry %: an outcome is heard after it was written", "NEW.entry_id")}
    END IF;
    -- A reversal that came back never goes through; the other way round it may be.
    IF NEW.fate = 'CONFIRMED' AND EXISTS (SELECT 1 FROM rails_achentry e JOIN rails_achoutcome o ON o.entry_id = e.id
            WHERE e.id = NEW.entry_id AND e.kind = 'REVERSAL' AND o.fate = 'RETURNED') THEN
        {_refuse("ACH entry %: a reversal that came back did not go through", "NEW.entry_id")}
    END IF;
    IF NEW.said_by_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM rails_achentry e
            WHERE e.id = NEW.entry_id AND e.kind = 'REVERSAL' AND NEW.fate = 'CONFIRMED') THEN
        {_refuse("ACH entry %: a person says of a reversal alone that it went through", "NEW.entry_id")}
    END IF;
    RETURN NEW;
"""

ONLY_HEARING_FOLLOWS = f"""
    IF (to_jsonb(NEW) - 'heard_at') IS DISTINCT FROM (to_jsonb(OLD) - 'heard_at') OR OLD.heard_at IS NOT NULL THEN
        {_refuse("The outcome of ACH entry % stays as it was written", "OLD.entry_id")}
    END IF;
    RETURN NEW;
"""

REVERSALS_ARE_PERMITTED = f"""
    IF NOT EXISTS (
        SELECT 1 FROM rails_achentry e JOIN rails_achfile f ON f.id = e.file_id
        WHERE e.id = NEW.entry_id AND e.kind = 'PAYMENT' AND f.state = 'HANDED_OVER'
        AND NOT EXISTS (SELECT 1 FROM rails_achoutcome o WHERE o.entry_id = e.id AND o.fate = 'RETURNED')
    ) THEN
        {_refuse("Only a payment that the bank has, and that did not come back, is reversed")}
    END IF;
    IF NEW.sent_as_id IS NOT NULL OR NEW.given_up_at IS NOT NULL THEN
        {_refuse("A reversal is sent after it was asked for")}
    END IF;
    RETURN NEW;
"""

WHAT_IS_ASKED_STAYS = f"""
    IF (to_jsonb(NEW) - ARRAY['sent_as_id', 'given_up_at']) IS DISTINCT FROM
       (to_jsonb(OLD) - ARRAY['sent_as_id', 'given_up_at'])
        OR OLD.sent_as_id IS NOT NULL OR OLD.given_up_at IS NOT NULL THEN
        {_refuse("The reversal of ACH entry % stays as it was asked for", "OLD.entry_id")}
    END IF;
    IF NEW.sent_as_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM rails_achentry sent JOIN rails_achentry paid ON paid.id = NEW.entry_id
        WHERE sent.id = NEW.sent_as_id AND sent.kind = 'REVERSAL' AND sent.amount_minor = paid.amount_minor
        AND sent.milestone_id = paid.milestone_id AND sent.attempt_number = paid.attempt_number
    ) THEN
        {_refuse("A reversal takes back what was paid, by the same attempt")}
    END IF;
    RETURN NEW;
"""

_DEALING = "ARRAY['waits', 'dealt_by_id', 'dealt_by_actor', 'dealt_at', 'dealt_reason']"
ONLY_DEALING_FOLLOWS = f"""
    IF (to_jsonb(NEW) - {_DEALING}) IS DISTINCT FROM (to_jsonb(OLD) - {_DEALING}) OR NOT OLD.waits OR NEW.waits THEN
        {_refuse("What the bank wrote on line % stays so", "OLD.line")}
    END IF;
    RETURN NEW;
"""
