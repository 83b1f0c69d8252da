"""What we keep of Stripe: events, payouts of connected accounts and what is in them, and how far we listened."""

import pgtrigger
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from rails.models.guards import Guard, append_only, never_removed


class StripeEventState(models.TextChoices):
    """What became of an event.

    WAITING is still to be understood, DONE is understood, IGNORED says nothing of ours, and UNCLEAR is for a person.
    """

    WAITING = "WAITING"
    DONE = "DONE"
    IGNORED = "IGNORED"
    UNCLEAR = "UNCLEAR"


class StripePayoutStatus(models.TextChoices):
    """Stripe's words, in the order in which they can follow each other; the last two end a payout."""

    PENDING = "pending"
    IN_TRANSIT = "in_transit"
    PAID = "paid"
    FAILED = "failed"
    CANCELED = "canceled"


_ONCE = """
    IF (to_jsonb(NEW) - ARRAY['state', 'detail', 'tries', 'next_try_at', 'done_at'])
        IS DISTINCT FROM (to_jsonb(OLD) - ARRAY['state', 'detail', 'tries', 'next_try_at', 'done_at']) THEN
        RAISE EXCEPTION 'Stripe event %: what arrived never changes', OLD.event_id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW IS DISTINCT FROM OLD AND OLD.state <> 'WAITING' AND NOT (
        OLD.state = 'UNCLEAR' AND NEW.state = 'WAITING' AND EXISTS (
            SELECT 1 FROM rails_stripeeventdecision d
            WHERE d.event_id = OLD.id AND d.unclear_since = OLD.done_at AND d.decision = 'PROCESS_AGAIN')) THEN
        RAISE EXCEPTION 'Stripe event %: what became of it stays, unless a person has it processed again', OLD.event_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
"""
_ONWARDS = """
    IF array_position(ARRAY['pending', 'in_transit', 'paid', 'failed', 'canceled'], NEW.status)
        < array_position(ARRAY['pending', 'in_transit', 'paid', 'failed', 'canceled'], OLD.status)
        OR (OLD.status IN ('failed', 'canceled') AND NEW.status <> OLD.status)
        OR (NEW.payout_id, NEW.account, NEW.amount, NEW.currency) IS DISTINCT FROM
           (OLD.payout_id, OLD.account, OLD.amount, OLD.currency) THEN
        RAISE EXCEPTION 'Stripe payout % may not become % again', OLD.payout_id, NEW.status
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
"""

_TURN_BY_TURN = """
    IF NEW.turn < OLD.turn OR (NEW.turn = OLD.turn AND NEW.leased_until > coalesce(OLD.leased_until, '-infinity')) THEN
        RAISE EXCEPTION 'Whoever begins to listen to Stripe takes the next turn' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
"""
_NEVER_OLDER = """
    IF NEW.looked_at < OLD.looked_at OR NEW.payouts_seen_at < OLD.payouts_seen_at THEN
        RAISE EXCEPTION 'Stripe account %: what is known of it is not replaced by what is older', OLD.account
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
"""


class StripeInstallation(models.Model):
    """The mark by which Stripe tells this installation's settlements from those of any other; one row, for ever."""

    only_one = models.BooleanField(default=True)
    mark = models.TextField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = "mark of this installation at Stripe"
        verbose_name_plural = "mark of this installation at Stripe"
        constraints = [
            models.UniqueConstraint(fields=["only_one"], name="one_installation"),
            models.CheckConstraint(name="the_only_installation", condition=Q(only_one=True)),
            models.CheckConstraint(name="mark_is_short_and_plain", condition=Q(mark__regex=r"^[0-9a-f]{12}$")),
        ]
        triggers = append_only()

    def __str__(self) -> str:
        return self.mark


class StripeEvent(models.Model):
    """One event of Stripe's, stored once by its id: the inbox.

    `about` is what is kept of the object it tells of, never more than this service reads. `account` is the connected
    account it happened on, empty for the platform's own.
    """

    event_id = models.TextField()
    type = models.TextField()
    account = models.TextField(default="", blank=True)
    about_id = models.TextField(default="", blank=True)
    about = models.JSONField()
    came_by = models.TextField()
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField(db_default=Now())
    state = models.TextField(choices=StripeEventState, default=StripeEventState.WAITING)
    detail = models.TextField(default="", blank=True)
    tries = models.IntegerField(default=0)
    next_try_at = models.DateTimeField(db_default=Now())
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = "Stripe event"
        constraints = [
            models.UniqueConstraint(fields=["event_id"], name="stripe_event_is_stored_once"),
            models.CheckConstraint(name="stripe_event_state_is_known", condition=Q(state__in=StripeEventState.values)),
            models.CheckConstraint(name="stripe_event_came_somehow", condition=Q(came_by__in=["webhook", "poll"])),
            models.CheckConstraint(
                name="stripe_event_is_done_at_a_time", condition=Q(state="WAITING") | Q(done_at__isnull=False)
            ),
        ]
        indexes = [
            models.Index(fields=["next_try_at"], condition=Q(state="WAITING"), name="stripe_events_that_wait"),
            models.Index(fields=["about_id"], name="stripe_events_about"),
            models.Index(fields=["done_at"], condition=Q(state="UNCLEAR"), name="stripe_events_unclear"),
        ]
        triggers = [
            Guard(name="what_arrived_never_changes", when=pgtrigger.Before, operation=pgtrigger.Update, func=_ONCE),
            *never_removed(),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"


class StripePayout(models.Model):
    """A payout of a connected account to its bank, as far as it got. `amount` is Stripe's integer."""

    payout_id = models.TextField()
    account = models.TextField()
    status = models.TextField(choices=StripePayoutStatus)
    amount = models.BigIntegerField()
    currency = models.TextField()
    automatic = models.BooleanField()
    arrives_on = models.DateField()
    failure = models.TextField(default="", blank=True)
    contents_known = models.BooleanField(default=False)
    looks = models.IntegerField(default=0)
    next_look_at = models.DateTimeField(db_default=Now())
    made_at = models.DateTimeField()
    status_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        verbose_name = "Stripe payout"
        constraints = [
            models.UniqueConstraint(fields=["payout_id"], name="stripe_payout_is_known_once"),
            models.CheckConstraint(
                name="stripe_payout_status_is_known", condition=Q(status__in=StripePayoutStatus.values)
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_look_at"],
                condition=Q(status__in=["paid", "failed"], automatic=True, contents_known=False),
                name="stripe_payouts_to_open",
            ),
            models.Index(fields=["account", "made_at"], name="stripe_payouts_of_an_account"),
        ]
        triggers = [
            Guard(name="payout_goes_onwards", when=pgtrigger.Before, operation=pgtrigger.Update, func=_ONWARDS),
            *never_removed(),
        ]

    def __str__(self) -> str:
        return f"{self.payout_id} ({self.status})"


class StripePayoutPart(models.Model):
    """One of our transfers in a payout; `told` is the outcome that its settlement has been told of."""

    payout = models.ForeignKey(StripePayout, on_delete=models.PROTECT, related_name="parts")
    transfer_id = models.TextField()
    milestone_id = models.BigIntegerField()
    attempt_number = models.IntegerField()
    told = models.TextField(default="", blank=True)
    tries = models.IntegerField(default=0, db_default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        verbose_name = "transfer in a Stripe payout"
        verbose_name_plural = "transfers in Stripe payouts"
        constraints = [
            models.UniqueConstraint(fields=["payout", "transfer_id"], name="transfer_is_in_a_payout_once"),
        ]
        indexes = [models.Index(fields=["transfer_id"], name="stripe_payouts_of_a_transfer")]
        triggers = never_removed()

    def __str__(self) -> str:
        return self.transfer_id


class StripeAccount(models.Model):
    """A connected account as Stripe last described it; `trouble` is why nothing should be sent there now."""

    account = models.TextField()
    trouble = models.TextField(default="", blank=True)
    looked_at = models.DateTimeField()
    payouts_seen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["account"]
        verbose_name = "Stripe account"
        constraints = [models.UniqueConstraint(fields=["account"], name="stripe_account_is_known_once")]
        triggers = [
            Guard(name="never_older", when=pgtrigger.Before, operation=pgtrigger.Update, func=_NEVER_OLDER),
        ]

    def __str__(self) -> str:
        return self.account


class StripeListening(models.Model):
    """How far we have listened to Stripe, and who listens now: one process at a time, each in a turn of its own."""

    only_one = models.BooleanField(default=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    turn = models.BigIntegerField(default=0, db_default=0)
    polled_at = models.DateTimeField(null=True, blank=True)
    events_seen_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "listening to Stripe"
        verbose_name_plural = "listening to Stripe"
        constraints = [
            models.UniqueConstraint(fields=["only_one"], name="one_ear"),
            models.CheckConstraint(name="the_only_ear", condition=Q(only_one=True)),
        ]
        triggers = [
            Guard(name="turn_by_turn", when=pgtrigger.Before, operation=pgtrigger.Update, func=_TURN_BY_TURN),
            *never_removed(),
        ]

    def __str__(self) -> str:
        return "listening to Stripe"
