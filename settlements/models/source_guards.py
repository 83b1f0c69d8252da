"""The rules that the database itself keeps for event sources, keys and the messages they send."""

import pgtrigger

from rails.models.guards import Guard
from settlements.models.guards import refuse, words_of
from settlements.statuses import EVENT_WORDS, EventState

REVISION_RISES = Guard(
    name="revision_rises",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    func=f"""
        IF NEW IS DISTINCT FROM OLD AND NEW.revision <= OLD.revision THEN
            {refuse("the revision of a source rises with every change")}
        END IF;
        RETURN NEW;
    """,
)

ENDS_ONCE = Guard(
    name="ends_once",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    func=f"""
        IF OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at THEN
            {refuse("what is revoked stays revoked")}
        END IF;
        IF OLD.expires_at IS NOT NULL AND (NEW.expires_at IS NULL OR NEW.expires_at > OLD.expires_at) THEN
            {refuse("an end that was set is never put off")}
        END IF;
        RETURN NEW;
    """,
)

# Written once, after the row it is bound to; from then on only under another key. Whether the text is still the same,
# nobody knows but who has the keys.
SEALED_ONCE_PER_KEY = Guard(
    name="sealed_once_per_key",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    func=f"""
        IF NEW.sealed <> OLD.sealed AND OLD.sealed <> ''
           AND split_part(NEW.sealed, ':', 1) = split_part(OLD.sealed, ':', 1) THEN
            {refuse("a secret is sealed anew under another key only")}
        END IF;
        RETURN NEW;
    """,
)

# A platform source whose list is empty may post every type.
EVENT_ROW = Guard(
    name="words_are_known",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert | pgtrigger.Update,
    func=f"""
        IF NEW.event_type NOT IN ({words_of(EVENT_WORDS)})
           OR NEW.state NOT IN ({words_of(EventState)})
        THEN
            {refuse("type and state of an event are known words")}
        END IF;
        IF TG_OP = 'INSERT' THEN
            IF NOT EXISTS (
                SELECT 1 FROM settlements_eventsource src WHERE src.id = NEW.source_id AND src.active
                AND (NEW.event_type = ANY(src.allowed_event_types)
                     OR (src.kind = 'platform' AND src.allowed_event_types = ARRAY[]::text[]))
            ) THEN
                {refuse("an active source posts the event types it is allowed")}
            END IF;
        END IF;
        RETURN NEW;
    """,
)
