"""What stands written before a provider is called: one instruction to pay, and what the provider said of it."""

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from rails.base import SettlementProvider
from rails.models.destination import Destination
from rails.models.guards import Fsm, Guard, never_removed
from rails.models.recipient import Recipient


class AttemptState(models.TextChoices):
    """Where an instruction stands.

    SUBMITTED says that it was handed to the provider, or may have been: its outcome is not known.
    """

    PREPARED = "PREPARED"
    SUBMITTED = "SUBMITTED"
    ACCEPTED = "ACCEPTED"
    REFUSED = "REFUSED"
    CONFIRMED = "CONFIRMED"
    RETURNED = "RETURNED"


# Back to PREPARED goes only what was provably never handed over. PREPARED to REFUSED is withdrawn by a person before
# anything was handed over. PREPARED to ACCEPTED: whatever we believe, the provider has it.
ATTEMPT_EDGES: dict[AttemptState, frozenset[AttemptState]] = {
    AttemptState.PREPARED: frozenset({AttemptState.SUBMITTED, AttemptState.ACCEPTED, AttemptState.REFUSED}),
    AttemptState.SUBMITTED: frozenset({AttemptState.PREPARED, AttemptState.ACCEPTED, AttemptState.REFUSED}),
    AttemptState.ACCEPTED: frozenset({AttemptState.CONFIRMED, AttemptState.RETURNED}),
    AttemptState.CONFIRMED: frozenset({AttemptState.ACCEPTED, AttemptState.RETURNED}),
    AttemptState.REFUSED: frozenset(),
    AttemptState.RETURNED: frozenset(),
}
# What lets another attempt follow.
OVER = (AttemptState.REFUSED, AttemptState.RETURNED)
OPEN = (AttemptState.PREPARED, AttemptState.SUBMITTED)


def _refuse(sentence: str) -> str:
    words = f"'Attempt % of milestone %: {sentence}', NEW.number, NEW.milestone_id"
    return f"RAISE EXCEPTION {words} USING ERRCODE = 'check_violation';"


# Those before it are locked, so that whoever takes down a word about one of them is seen, or sees this one.
_NOT_PAID_BEFORE = f"""
    IF NEW.number > 1 THEN
        PERFORM 1 FROM rails_railattempt a WHERE a.milestone_id = NEW.milestone_id AND a.number < NEW.number
            ORDER BY a.number DESC FOR SHARE;
        IF rails_paid_though_refused(NEW.milestone_id) THEN
            {_refuse("the provider says that it paid an earlier one")}
        END IF;
        IF EXISTS (SELECT 1 FROM rails_railattempt a WHERE a.milestone_id = NEW.milestone_id AND a.owed_minor > 0) THEN
            {_refuse("the recipient has what counted as returned of an earlier one")}
        END IF;
    END IF;
"""

_BEGINS = f"""
    IF NEW.state <> 'PREPARED' OR NEW.tries <> 0 OR NEW.reference <> '' OR NEW.returned_minor <> 0
       OR NEW.owed_minor <> 0 THEN
        {_refuse("an attempt begins before the provider is called")}
    END IF;
    SELECT coalesce(max(a.number), 0), count(*) FILTER (WHERE a.state NOT IN ('REFUSED', 'RETURNED'))
    INTO earlier, open_ones FROM rails_railattempt a WHERE a.milestone_id = NEW.milestone_id;
    SELECT greatest(earlier, coalesce(max(e.attempt_number), 0)) INTO earlier
    FROM rails_journalentry e WHERE e.milestone_id = NEW.milestone_id AND e.kind = 'release';
    IF open_ones > 0 OR NEW.number <> earlier + 1 THEN
        {_refuse("the one before it is not known to be refused or returned")}
    END IF;
    IF NEW.destination_id IS DISTINCT FROM rails_destination_of(NEW.recipient_id, lower(NEW.provider)) THEN
        {_refuse("it goes to the destination that the recipient can be paid at now")}
    END IF;
    {_NOT_PAID_BEFORE}
    RETURN NEW;
"""

_FIXED = ("id", "milestone_id", "number", "provider", "amount_minor", "currency", "recipient_id", "destination_id",
          "prepared_at")  # fmt: skip
_MOVES_ON = f"""
    IF ROW({", ".join(f"NEW.{column}" for column in _FIXED)})
        IS DISTINCT FROM ROW({", ".join(f"OLD.{column}" for column in _FIXED)}) THEN
        {_refuse("what was to be paid never changes")}
    END IF;
    IF OLD.state = 'PREPARED' AND NEW.state = 'SUBMITTED' THEN
        {_NOT_PAID_BEFORE}
    END IF;
    IF OLD.reference <> '' AND NEW.reference <> OLD.reference THEN
        {_refuse("the reference it goes by never changes")}
    END IF;
    IF NEW.tries < OLD.tries OR NEW.returned_minor < OLD.returned_minor THEN
        {_refuse("what happened is not undone")}
    END IF;
    IF NEW.state = OLD.state AND NEW.state IN ('REFUSED', 'RETURNED')
       AND ROW(NEW.error, NEW.question) IS DISTINCT FROM ROW(OLD.error, OLD.question) THEN
        {_refuse("what is over stays as it is")}
    END IF;
    RETURN NEW;
"""


class RailAttempt(models.Model):
    """One instruction to a provider. Amounts in minor units; `returned_minor` is what came back of it by now.

    `owed_minor`: what the recipient owes us of one that counts as RETURNED, for it kept the money after all; negative:
    what we owe the recipient, for the money came back more than once.
    `leased_until`: until then one process waits for the provider's answer. `question`: what a person has to look at
    before it is handed in again; empty as long as it goes by itself. `error`: the last words of the provider.
    """

    milestone_id = models.BigIntegerField()
    number = models.SmallIntegerField()
    provider = models.TextField(choices=[(provider.value, provider.method) for provider in SettlementProvider])
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    recipient = models.ForeignKey(Recipient, on_delete=models.PROTECT, related_name="attempts")
    destination = models.ForeignKey(Destination, on_delete=models.PROTECT, related_name="attempts")
    state = models.TextField(choices=AttemptState, default=AttemptState.PREPARED)
    reference = models.TextField(default="", blank=True)
    returned_minor = models.BigIntegerField(default=0)
    owed_minor = models.BigIntegerField(default=0, db_default=0)
    tries = models.IntegerField(default=0)
    error = models.TextField(default="", blank=True)
    question = models.TextField(default="", blank=True)
    prepared_at = models.DateTimeField(db_default=Now())
    submitted_at = models.DateTimeField(null=True, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = "rail attempt"
        constraints = [
            models.UniqueConstraint(fields=["milestone_id", "number"], name="attempts_are_counted"),
            models.UniqueConstraint(
                fields=["milestone_id"], condition=~Q(state__in=OVER), name="one_attempt_at_a_time"
            ),
            models.UniqueConstraint(
                fields=["provider", "reference"], condition=~Q(reference=""), name="a_reference_is_one_attempt"
            ),
            models.CheckConstraint(name="attempt_state_is_known", condition=Q(state__in=AttemptState.values)),
            models.CheckConstraint(
                name="attempt_provider_is_remote",
                condition=Q(provider__in=[p.value for p in SettlementProvider if p.method != "internal_ledger"]),
            ),
            models.CheckConstraint(name="attempt_moves_something", condition=Q(amount_minor__gt=0)),
            models.CheckConstraint(
                name="what_came_back_is_within_the_amount",
                condition=Q(returned_minor__gte=0, returned_minor__lte=F("amount_minor")),
            ),
            models.CheckConstraint(
                name="returned_means_all_of_it",
                condition=Q(state="RETURNED", returned_minor=F("amount_minor"))
                | (~Q(state="RETURNED") & Q(returned_minor__lt=F("amount_minor"))),
            ),
            models.CheckConstraint(
                name="owed_is_what_counted_as_returned",
                condition=Q(owed_minor=0)
                | Q(state="RETURNED", owed_minor__lte=F("amount_minor"), owed_minor__gte=-F("amount_minor")),
            ),
            models.CheckConstraint(
                name="accepted_has_a_reference",
                condition=Q(state__in=["PREPARED", "SUBMITTED", "REFUSED"]) | ~Q(reference=""),
            ),
            models.CheckConstraint(
                name="submitted_says_since_when",
                condition=~Q(state__in=["SUBMITTED", "ACCEPTED", "CONFIRMED", "RETURNED"])
                | Q(submitted_at__isnull=False),
            ),
            models.CheckConstraint(name="refused_says_why", condition=~Q(state="REFUSED") | ~Q(error="")),
        ]
        indexes = [
            # What a submitter looks for: those never handed over, then those whose lease ran out.
            models.Index(
                fields=["provider", "state", "leased_until", "id"],
                condition=Q(state__in=OPEN),
                name="attempts_to_submit",
            ),
            models.Index(
                fields=["provider", "answered_at"],
                condition=Q(state__in=["ACCEPTED", "CONFIRMED"]),
                name="attempts_that_are_out",
            ),
            # Two kinds of work for people, few among all that is out.
            models.Index(
                fields=["id"], condition=Q(state="ACCEPTED", confirmed_at__isnull=False), name="payouts_that_failed"
            ),
            models.Index(
                fields=["id"],
                condition=Q(state__in=["ACCEPTED", "CONFIRMED"], returned_minor__gt=0),
                name="attempts_partly_back",
            ),
            models.Index(fields=["milestone_id"], condition=~Q(owed_minor=0), name="attempts_that_are_owed"),
        ]
        triggers = [
            Guard(
                name="begins_before_the_call",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                declare=[("earlier", "integer"), ("open_ones", "integer")],
                func=_BEGINS,
            ),
            Guard(name="moves_on", when=pgtrigger.Before, operation=pgtrigger.Update, func=_MOVES_ON),
            Fsm(
                name="state_follows_the_table",
                field="state",
                transitions=sorted((old.value, new.value) for old, news in ATTEMPT_EDGES.items() for new in news),
            ),
            *never_removed(),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number} of milestone settlement {self.milestone_id}"
