import hashlib
import json
from datetime import UTC
from decimal import Decimal

from django.db import migrations
from django.utils import timezone

# Nobody books between what is told here and the guard, or that entry would be told of by nobody. Locked first, for who
# books writes the entry before the event.
NOBODY_BOOKS = "LOCK TABLE rails_journalentry IN SHARE ROW EXCLUSIVE MODE"
# Of each entry one event.
ONE_EVENT = """
CREATE UNIQUE INDEX one_office_event_per_entry ON settlements_officeevent (((data->>'entry')::bigint))
    WHERE action = 'entry_booked'
"""
# The books know nothing of the office, so this guard of ours stands on their table. Looked at when the transaction
# commits, for the event is written after the entry that it tells of.
IS_TOLD = """
CREATE FUNCTION settlements_house_entry_is_told() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM settlements_officeevent o
                   WHERE o.action = 'entry_booked' AND (o.data->>'entry')::bigint = NEW.id) THEN
        RAISE EXCEPTION 'Entry %: what no settlement owns is told of in the office''s log', NEW.reference
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER a_house_entry_is_told AFTER INSERT ON rails_journalentry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.milestone_id IS NULL) EXECUTE FUNCTION settlements_house_entry_is_told();
"""
NOT_TOLD = "DROP TRIGGER a_house_entry_is_told ON rails_journalentry; DROP FUNCTION settlements_house_entry_is_told()"

_UNTOLD = """
    SELECT e.id, e.reference, e.kind, e.currency, e.amount_minor, debit.code, debit.recipient_id, p.debit_account_id,
           credit.code, credit.recipient_id, p.credit_account_id, e.reverses_id, e.description, e.posted_at,
           e.created_at, e.booked_on::text
    FROM rails_journalentry e JOIN rails_posting p ON p.entry_id = e.id
    JOIN rails_account debit ON debit.id = p.debit_account_id
    JOIN rails_account credit ON credit.id = p.credit_account_id
    WHERE e.milestone_id IS NULL AND NOT EXISTS (
        SELECT 1 FROM settlements_officeevent o WHERE o.action = 'entry_booked' AND (o.data->>'entry')::bigint = e.id)
    ORDER BY e.id
"""
_INSERT = """
    INSERT INTO settlements_officeevent (sequence, action, subject, actor, reason, data, created_at, prev_hash, hash)
    VALUES (%s, 'entry_booked', %s, %s, %s, %s::jsonb, %s, %s, %s)
"""
_DIGITS = {"JPY": 0, "KWD": 3}
_ACTOR, _REASON = "system", "Found in the journal when entries without a settlement began to be told of"


def tell(apps, schema_editor):
    """What was booked before is told of as it is found."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('settlements_officeevent'))")
        cursor.execute("SELECT sequence, hash FROM settlements_officeevent ORDER BY sequence DESC LIMIT 1")
        sequence, before = cursor.fetchone() or (0, bytes(32))
        cursor.execute(_UNTOLD)
        for row in cursor.fetchall():
            sequence += 1
            before = _append(cursor, row, sequence, bytes(before))


def _append(cursor, row, sequence, before):
    (
        entry, reference, kind, currency, minor, debit, debit_recipient, debit_account, credit, credit_recipient,
        credit_account, reverses, description, posted_at, created_at, booked_on,
    ) = row  # fmt: skip
    digits, now = _DIGITS.get(currency, 2), timezone.now()
    data = {
        "entry": entry,
        "reference": reference,
        "kind": kind,
        "amount": str(Decimal(minor).scaleb(-digits).quantize(Decimal(1).scaleb(-digits))),
        "currency": currency,
        "debit": {"account": debit_account, "code": debit, "recipient": debit_recipient},
        "credit": {"account": credit_account, "code": credit, "recipient": credit_recipient},
        "reverses": reverses,
        "description": description,
        "posted_at": _time(posted_at),
        "created_at": _time(created_at),
        "booked_on": booked_on,
    }
    told = {
        "action": "entry_booked", "actor": _ACTOR, "created_at": _time(now), "data": data, "reason": _REASON,
        "sequence": sequence, "subject": reference,
    }  # fmt: skip
    canonical = json.dumps(told, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    digest = hashlib.sha256(before + canonical).digest()
    cursor.execute(_INSERT, [sequence, reference, _ACTOR, _REASON, json.dumps(data), now, before, digest])
    return digest


def _time(at):
    return at.astimezone(UTC).isoformat(timespec="microseconds")


class Migration(migrations.Migration):
    dependencies = [("settlements", "0080_reconciliation"), ("rails", "0079_closed_days")]

    operations = [
        migrations.RunSQL(NOBODY_BOOKS, migrations.RunSQL.noop),
        migrations.RunSQL(ONE_EVENT, "DROP INDEX one_office_event_per_entry"),
        migrations.RunPython(tell, migrations.RunPython.noop),
        migrations.RunSQL(IS_TOLD, NOT_TOLD),
    ]
