"""What people decided about events of Stripe's that nobody could understand."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from rails.models.guards import Guard, append_only
from rails.models.stripe import StripeEvent

_ONLY_UNCLEAR = """
    PERFORM 1 FROM rails_stripeevent e
        WHERE e.id = NEW.event_id AND e.state = 'UNCLEAR' AND e.done_at = NEW.unclear_since FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Stripe event %: nobody has to decide about it', NEW.event_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
"""


class StripeEventDecision(models.Model):
    """What a person decided about an event that was UNCLEAR since then, for the reason in `detail`; it moves no money.

    DEALT_WITH: nothing follows from it. PROCESS_AGAIN: it is understood anew, and may be unclear again.
    """

    class Decision(models.TextChoices):
        DEALT_WITH = "DEALT_WITH"
        PROCESS_AGAIN = "PROCESS_AGAIN"

    event = models.ForeignKey(StripeEvent, on_delete=models.PROTECT, related_name="decisions", db_index=False)
    unclear_since = models.DateTimeField()
    detail = models.TextField()
    decision = models.TextField(choices=Decision)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    actor = models.TextField()
    reason = models.TextField()
    decided_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        verbose_name = "decision on a Stripe event"
        verbose_name_plural = "decisions on Stripe events"
        constraints = [
            models.UniqueConstraint(fields=["event", "unclear_since"], name="an_unclear_event_is_decided_once"),
            models.CheckConstraint(
                name="what_is_decided_on_an_event_is_known", condition=Q(decision__in=["DEALT_WITH", "PROCESS_AGAIN"])
            ),
            models.CheckConstraint(
                name="who_decides_on_an_event_says_why", condition=~Q(actor="") & Q(reason__regex=r"[^[:space:]]")
            ),
        ]
        triggers = [
            Guard(
                name="only_unclear_events_are_decided",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                func=_ONLY_UNCLEAR,
            ),
            *append_only(),
        ]

    def __str__(self) -> str:
        return str(self.event)
