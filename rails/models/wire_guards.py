"""What the database refuses of wires, in SQL."""


def _refuse(sentence: str, *values: str) -> str:
    arguments = "".join(f", {value}" for value in values)
    return f"RAISE EXCEPTION '{sentence}'{arguments} USING ERRCODE = 'check_violation';"


_FATE = "ARRAY['state', 'lost_at', 'lost_words', 'known_sent_at', 'known_sent_words', 'handed_over_at']"

ONLY_HANDING_OVER_FOLLOWS = f"""
    IF (to_jsonb(NEW) - {_FATE}) IS DISTINCT FROM (to_jsonb(OLD) - {_FATE}) OR OLD.state <> 'STAGED'
        OR (OLD.known_sent_at IS NOT NULL AND NEW.known_sent_at IS DISTINCT FROM OLD.known_sent_at) THEN
        {_refuse("Wire file %: what was written stays so", "OLD.name")}
    END IF;
    RETURN NEW;
"""

ENTRIES_SUM_TO_THE_FILE = f"""
    SELECT count(*), COALESCE(sum(amount_minor), 0) INTO entries, total FROM rails_wireentry WHERE file_id = NEW.id;
    IF entries <> NEW.entry_count OR total <> NEW.amount_minor THEN
        {_refuse("Wire file %: its payments are % of %", "NEW.name", "entries", "total")}
    END IF;
    RETURN NULL;
"""

# A file that is committed is complete, so no payment is ever added to it.
A_FILE_TAKES_NO_MORE = f"""
    IF EXISTS (
        SELECT 1 FROM (SELECT DISTINCT file_id FROM new_wires) touched JOIN rails_wirefile f ON f.id = touched.file_id
        WHERE f.entry_count < (SELECT count(*) FROM rails_wireentry e WHERE e.file_id = f.id)
    ) THEN
        {_refuse("A wire file takes no more payments than it was made for")}
    END IF;
    RETURN NULL;
"""

ONE_AT_A_TIME = f"""
    SELECT * INTO file FROM rails_wirefile WHERE id = NEW.file_id;
    IF file.id IS NULL OR file.currency <> NEW.currency OR file.state <> 'STAGED' THEN
        {_refuse("Wire %: its file is in another currency, or closed", "NEW.end_to_end_id")}
    END IF;
    -- Locked, so that nobody takes the attempt for not handed over while this is committed.
    SELECT * INTO attempt FROM rails_railattempt
    WHERE milestone_id = NEW.milestone_id AND number = NEW.attempt_number FOR SHARE;
    IF FOUND AND ROW(attempt.provider, attempt.state, attempt.amount_minor, attempt.currency, attempt.destination_id)
        IS DISTINCT FROM ROW('WIRE', 'SUBMITTED', NEW.amount_minor, NEW.currency, NEW.destination_id) THEN
        {_refuse("Wire %: its attempt is not being submitted so", "NEW.end_to_end_id")}
    END IF;
    IF NEW.attempt_number > 1 AND rails_paid_though_refused(NEW.milestone_id) THEN
        {_refuse("Wire %: the provider says that it paid an earlier attempt", "NEW.end_to_end_id")}
    END IF;
    IF EXISTS (SELECT 1 FROM rails_railattempt kept
               WHERE kept.milestone_id = NEW.milestone_id AND kept.owed_minor > 0) THEN
        {_refuse("Wire %: the recipient has what counted as returned of an earlier one", "NEW.end_to_end_id")}
    END IF;
    IF EXISTS (
        SELECT 1 FROM rails_wireentry earlier WHERE earlier.milestone_id = NEW.milestone_id
        AND NOT EXISTS (SELECT 1 FROM rails_wireanswer a WHERE a.entry_id = earlier.id AND a.word = 'REFUSED')
        AND NOT (EXISTS (SELECT 1 FROM rails_wirefile f WHERE f.id = earlier.file_id AND f.state = 'NEVER_SENT')
            AND NOT EXISTS (SELECT 1 FROM rails_wireanswer a WHERE a.entry_id = earlier.id AND a.word = 'CONFIRMED'))
        AND earlier.amount_minor > (
            SELECT COALESCE(sum(a.amount_minor), 0) FROM rails_wireanswer a
            WHERE a.entry_id = earlier.id AND a.word = 'RETURNED')
    ) THEN
        {_refuse("Wire %: another one of the milestone is neither refused nor returned", "NEW.end_to_end_id")}
    END IF;
    RETURN NEW;
"""

# The entry is locked, so that two words on one wire see each other.
WORDS_FOLLOW_EACH_OTHER = f"""
    SELECT * INTO wire FROM rails_wireentry WHERE id = NEW.entry_id FOR UPDATE;
    -- Of what counts as never sent the bank may say that it paid it after all.
    SELECT state IN ('HANDED_OVER', 'NEVER_SENT') INTO handed_over FROM rails_wirefile WHERE id = wire.file_id;
    IF handed_over IS NOT TRUE THEN
        {_refuse("Wire %: the bank says nothing of what it does not have", "wire.end_to_end_id")}
    END IF;
    IF NEW.heard_at IS NOT NULL THEN
        {_refuse("Wire %: a word is heard after it was said", "wire.end_to_end_id")}
    END IF;
    IF NEW.word = 'RETURNED' THEN
        IF NOT EXISTS (SELECT 1 FROM rails_wireanswer WHERE entry_id = NEW.entry_id AND word = 'CONFIRMED') THEN
            {_refuse("Wire %: only what arrived comes back", "wire.end_to_end_id")}
        END IF;
        SELECT COALESCE(sum(amount_minor), 0) + NEW.amount_minor INTO back
        FROM rails_wireanswer WHERE entry_id = NEW.entry_id AND word = 'RETURNED';
        IF back > wire.amount_minor THEN
            {_refuse("Wire %: more came back than was sent", "wire.end_to_end_id")}
        END IF;
    END IF;
    RETURN NEW;
"""

ONLY_HEARING_FOLLOWS = f"""
    IF (to_jsonb(NEW) - 'heard_at') IS DISTINCT FROM (to_jsonb(OLD) - 'heard_at') OR OLD.heard_at IS NOT NULL THEN
        {_refuse("The bank''s word % on a wire is irrevocable", "OLD.bank_reference")}
    END IF;
    RETURN NEW;
"""
