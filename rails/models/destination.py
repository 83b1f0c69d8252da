"""Where a recipient is paid, rail by rail: versions that are written once, and what is decided of them."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from rails.base import SettlementProvider
from rails.models.guards import Fsm, Guard, never_removed
from rails.models.recipient import Recipient
from rails.wording import in_words

# The rails that pay to somewhere; the internal ledger needs no destination.
RAILS_WITH_DESTINATIONS = (
    SettlementProvider.STRIPE.method,
    SettlementProvider.ACH.method,
    SettlementProvider.WIRE.method,
)


class DestinationState(models.TextChoices):
    """Proposed, in force, or out of force: refused, replaced by another, or closed."""

    PROPOSED = "PROPOSED"
    ACTIVE = "ACTIVE"
    REJECTED = "REJECTED"
    SUPERSEDED = "SUPERSEDED"
    CLOSED = "CLOSED"


_EDGES = [
    (DestinationState.PROPOSED.value, DestinationState.ACTIVE.value),
    (DestinationState.PROPOSED.value, DestinationState.REJECTED.value),
    (DestinationState.PROPOSED.value, DestinationState.SUPERSEDED.value),
    (DestinationState.PROPOSED.value, DestinationState.CLOSED.value),
    (DestinationState.ACTIVE.value, DestinationState.SUPERSEDED.value),
    (DestinationState.ACTIVE.value, DestinationState.CLOSED.value),
]

_CONFIRMED = ("confirmed_by_id", "confirmed_by_actor", "confirmed_at")
_ENDED = ("ended_by_id", "ended_by_actor", "ended_at", "ended_reason")
_MUTABLE = ("state", "sealed", "fingerprint", "blocked", *_CONFIRMED, *_ENDED)


def _refuse(sentence: str) -> str:
    return (
        f"RAISE EXCEPTION 'Destination of recipient %: {sentence}', NEW.recipient_id USING ERRCODE = 'check_violation';"
    )


def _differ(*columns: str) -> str:
    new, old = (", ".join(f"{row}.{column}" for column in columns) for row in ("NEW", "OLD"))
    return f"ROW({new}) IS DISTINCT FROM ROW({old})"


# In force at once are only the first destinations of a recipient, all of one edit: before anything was paid to it, and
# before it had any other, there is no payment that a change could divert.
_BEGINS = f"""
    IF NEW.state NOT IN ('PROPOSED', 'ACTIVE') OR NEW.confirmed_by_id IS NOT NULL OR NEW.blocked <> '' THEN
        {_refuse("it begins proposed, or in force as the first one")}
    END IF;
    IF NEW.revision IS DISTINCT FROM (SELECT revision FROM rails_recipient WHERE id = NEW.recipient_id) THEN
        {_refuse("it is written by an edit of its recipient")}
    END IF;
    IF NEW.usable_from < NEW.proposed_at THEN
        {_refuse("it is not usable before it was proposed")}
    END IF;
    IF NEW.state = 'ACTIVE' AND (
        EXISTS (SELECT 1 FROM rails_destination other
                WHERE other.recipient_id = NEW.recipient_id AND other.revision <> NEW.revision)
        OR EXISTS (SELECT 1 FROM rails_account account WHERE account.recipient_id = NEW.recipient_id)
    ) THEN
        {_refuse("only the first one is in force without another person")}
    END IF;
    RETURN NEW;
"""

# One change at a time, of these and of no others: confirm, end (reject, supersede, close), block, seal anew.
_ONE_CHANGE = f"""
    IF (to_jsonb(NEW) - ARRAY[{", ".join(f"'{column}'" for column in _MUTABLE)}])
        IS DISTINCT FROM (to_jsonb(OLD) - ARRAY[{", ".join(f"'{column}'" for column in _MUTABLE)}]) THEN
        {_refuse("what was proposed never changes")}
    END IF;
    IF NEW.state <> OLD.state THEN
        IF {_differ("sealed", "fingerprint", "blocked")} THEN
            {_refuse("a decision changes nothing else")}
        END IF;
        IF NEW.state = 'ACTIVE' THEN
            IF NEW.confirmed_by_id IS NULL OR NEW.confirmed_by_id = OLD.proposed_by_id THEN
                {_refuse("another person confirms it than proposed it")}
            END IF;
            IF {_differ(*_ENDED)} THEN
                {_refuse("what is confirmed has not ended")}
            END IF;
        ELSIF {_differ(*_CONFIRMED)} THEN
            {_refuse("what ends is not confirmed")}
        END IF;
    ELSIF {_differ(*_CONFIRMED, *_ENDED)} THEN
        {_refuse("who decided is written with the decision")}
    ELSIF NEW.blocked <> OLD.blocked THEN
        IF NEW.state <> 'ACTIVE' OR {_differ("sealed", "fingerprint")} THEN
            {_refuse("only one in force is blocked, and nothing else with it")}
        END IF;
    ELSIF {_differ("sealed", "fingerprint")} THEN
        IF (OLD.sealed <> '' AND split_part(NEW.sealed, ':', 1) = split_part(OLD.sealed, ':', 1))
            OR (OLD.sealed = '' AND NEW.sealed <> '')
            OR split_part(NEW.fingerprint, ':', 1) = split_part(OLD.fingerprint, ':', 1) THEN
            {_refuse("it is sealed anew under another key only")}
        END IF;
    END IF;
    RETURN NEW;
"""


class Destination(models.Model):
    """One version of where a recipient is paid by one rail.

    `details` may be shown; `sealed` is the account number or IBAN (nothing for Stripe, whose id is no secret) and
    `fingerprint` its keyed hash. `usable_from` is when its quarantine ends; `notice` is the code of the notification of
    change that proposed it, `blocked` that of one which an entry waits for; `revision` is the recipient's edit.
    """

    recipient = models.ForeignKey(Recipient, on_delete=models.PROTECT, related_name="destinations", db_index=False)
    rail = models.TextField()
    state = models.TextField(choices=DestinationState)
    details = models.JSONField()
    sealed = models.TextField(default="", blank=True)
    fingerprint = models.TextField()
    revision = models.IntegerField()
    usable_from = models.DateTimeField()
    notice = models.TextField(default="", blank=True)
    blocked = models.TextField(default="", blank=True)
    proposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    proposed_by_actor = models.TextField()
    proposed_reason = models.TextField(default="", blank=True)
    proposed_at = models.DateTimeField(db_default=Now())
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    confirmed_by_actor = models.TextField(default="", blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    ended_by_actor = models.TextField(default="", blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_reason = models.TextField(default="", blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["recipient", "rail"], condition=Q(state="PROPOSED"), name="one_proposal_per_recipient_and_rail"
            ),
            models.UniqueConstraint(
                fields=["recipient", "rail"],
                condition=Q(state="ACTIVE"),
                name="one_destination_in_force_per_recipient_and_rail",
            ),
            models.CheckConstraint(
                name="destination_rail_is_known", condition=Q(rail__in=list(RAILS_WITH_DESTINATIONS))
            ),
            models.CheckConstraint(name="destination_state_is_known", condition=Q(state__in=DestinationState.values)),
            models.CheckConstraint(name="a_destination_has_a_fingerprint", condition=~Q(fingerprint="")),
            models.CheckConstraint(
                name="stripe_alone_seals_nothing",
                condition=Q(rail="stripe", sealed="") | (~Q(rail="stripe") & ~Q(sealed="")),
            ),
            models.CheckConstraint(name="a_proposal_names_its_actor", condition=~Q(proposed_by_actor="")),
            models.CheckConstraint(
                name="a_confirmation_is_whole",
                condition=Q(confirmed_by__isnull=True, confirmed_by_actor="", confirmed_at__isnull=True)
                | (Q(confirmed_by__isnull=False, confirmed_at__isnull=False) & ~Q(confirmed_by_actor="")),
            ),
            models.CheckConstraint(
                name="another_person_confirms",
                condition=Q(confirmed_by__isnull=True)
                | Q(proposed_by__isnull=True)
                | ~Q(confirmed_by=F("proposed_by")),
            ),
            models.CheckConstraint(
                name="what_ended_says_when_and_by_whom",
                condition=Q(state__in=["PROPOSED", "ACTIVE"], ended_at__isnull=True, ended_by_actor="")
                | (Q(state__in=["REJECTED", "SUPERSEDED", "CLOSED"], ended_at__isnull=False) & ~Q(ended_by_actor="")),
            ),
        ]
        indexes = [
            models.Index(fields=["recipient", "rail", "-id"], name="destinations_of_a_recipient"),
            models.Index(fields=["fingerprint"], name="destinations_by_fingerprint"),
            models.Index(fields=["proposed_at"], condition=Q(state="PROPOSED"), name="destinations_that_wait"),
        ]
        triggers = [
            Guard(name="begins_in_quarantine", when=pgtrigger.Before, operation=pgtrigger.Insert, func=_BEGINS),
            Guard(name="one_change_at_a_time", when=pgtrigger.Before, operation=pgtrigger.Update, func=_ONE_CHANGE),
            Fsm(name="state_follows_the_table", field="state", transitions=sorted(_EDGES)),
            *never_removed(),
        ]

    def __str__(self) -> str:
        return f"{in_words(self.rail)} destination {self.pk}"
