"""Days that are closed: what the books said of each, frozen, and the fence behind which nothing is booked any more."""

import pgtrigger
from django.db import models
from django.db.models import Q

from rails.models.guards import Guard, append_only

# The lock waits until every transaction that wrote to the journal has ended, and keeps others off until this one has.
# So an entry is there when the day's figures are computed, or it is written when the day is closed and sees that.
_CLOSES_IN_ORDER = """
    LOCK TABLE rails_journalentry IN SHARE ROW EXCLUSIVE MODE;
    SELECT max(c.day) + 1 INTO expected FROM rails_closedday c;
    IF expected IS NULL THEN
        SELECT min(e.booked_on) INTO expected FROM rails_journalentry e;
    END IF;
    IF expected IS NULL OR NEW.day <> expected THEN
        RAISE EXCEPTION 'Day %: days are closed one after the other, and the next is %', NEW.day, expected
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.day >= (clock_timestamp() AT TIME ZONE 'UTC')::date THEN
        RAISE EXCEPTION 'Day %: it is closed when it is over', NEW.day USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.sha256 <> encode(sha256(convert_to(NEW.figures, 'UTF8')), 'hex') THEN
        RAISE EXCEPTION 'Day %: the digest is not that of its figures', NEW.day USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
"""


class ClosedDay(models.Model):
    """One day of the books, closed for good. Days are those of UTC.

    `figures` is the canonical JSON that settlements/closing/documents.py describes, `sha256` the digest of its UTF-8.
    """

    day = models.DateField()
    closed_at = models.DateTimeField()
    closed_by = models.TextField()
    figures = models.TextField()
    sha256 = models.TextField()

    class Meta:
        ordering = ["-day"]
        constraints = [
            models.UniqueConstraint(fields=["day"], name="a_day_is_closed_once"),
            models.CheckConstraint(name="a_closed_day_has_a_digest", condition=Q(sha256__regex="^[0-9a-f]{64}$")),
            models.CheckConstraint(name="a_closed_day_names_who_closed_it", condition=~Q(closed_by="")),
        ]
        triggers = [
            Guard(
                name="days_are_closed_in_order",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                declare=[("expected", "date")],
                func=_CLOSES_IN_ORDER,
            ),
            *append_only(),
        ]

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d}"
