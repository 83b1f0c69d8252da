"""One intent x one event type: the unit that is decided, released and audited; with its approvals and holds."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce

from rails.wording import in_words
from settlements.models import approval_guards, guards, settlement_guards
from settlements.models.intent import PaymentIntent
from settlements.models.shipment_event import ShipmentEvent

# Something to read, not spaces alone.
_WORDS = "[^[:space:]]"

WAITS_FOR_THE_SWEEP = Q(status="DELAYED") | (Q(status__in=["PENDING", "FAILED", "RETURNED"]) & ~Q(blocked_reason=""))


class MilestoneSettlement(models.Model):
    """Amount in minor units; the decision with its inputs; `reference` is what the rail answered."""

    # Its foreign key is the one to the schedule item, its index the unique one (intent, event type).
    intent = models.ForeignKey(
        PaymentIntent, on_delete=models.PROTECT, related_name="settlements", db_constraint=False, db_index=False
    )
    event_type = models.TextField()
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    status = models.TextField()
    origin = models.TextField()
    event = models.ForeignKey(
        ShipmentEvent, on_delete=models.PROTECT, null=True, blank=True, related_name="settlements"
    )
    rail = models.TextField()
    reference = models.TextField(blank=True, default="")

    strategy = models.TextField()
    risk_tier = models.TextField()
    risk_score = models.DecimalField(max_digits=21, decimal_places=20, null=True, blank=True)
    rule = models.TextField()
    explanation = models.TextField()
    inputs = models.JSONField()
    policy_version = models.TextField()

    approvals_required = models.SmallIntegerField(default=1)
    settlement_delayed_until = models.DateTimeField(null=True, blank=True)
    blocked_reason = models.TextField(blank=True, default="")
    retry_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True, default="")

    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        permissions = [
            ("read_queue", "Can read the review queue"),
            ("decide_settlement", "Can approve and reject settlements"),
            ("hold_settlement", "Can hold, lift and extend settlements"),
            ("assign_settlement", "Can assign settlements to officers"),
            ("annotate_settlement", "Can add notes and evidence to settlements"),
            ("oversee_decisions", "Can read how officers decide"),
            ("confirm_destination", "Can confirm or reject where a recipient is paid"),
            ("manage_rails", "Can switch rails and recipients on and off, and choose default methods"),
            ("handle_bank_files", "Can hand in the bank's files and reverse entries"),
            ("confirm_wire", "Can record the bank's word on a wire"),
            ("resolve_payment", "Can resolve failed and returned payments"),
            ("export_data", "Can export settlements, reviews, attempts, audit trail and journal"),
            ("close_day", "Can close days"),
            ("resolve_difference", "Can resolve differences of the reconciliation"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["intent", "event_type"], name="one_settlement_per_intent_and_event"),
            models.CheckConstraint(
                condition=~Q(status="DELAYED") | Q(settlement_delayed_until__isnull=False),
                name="delayed_has_a_date",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["APPROVED", "SETTLED", "RETURNED"])
                | (~Q(reference="") & Q(released_at__isnull=False)),
                name="released_has_a_reference_and_a_date",
            ),
            models.CheckConstraint(
                condition=~Q(status="SETTLED") | Q(settled_at__isnull=False), name="settled_has_a_date"
            ),
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0) | Q(amount_minor=0, status__in=["PENDING", "CANCELLED"]),
                name="zero_is_pending_or_cancelled",
            ),
            models.CheckConstraint(condition=Q(approvals_required__gte=1), name="somebody_approves"),
        ]
        indexes = [
            models.Index(
                Coalesce("retry_at", "settlement_delayed_until", "created_at"),
                condition=WAITS_FOR_THE_SWEEP,
                name="settlements_for_the_sweep",
            ),
            # All that the review queue is found and sorted by: ten thousand waiting ones are read from the index alone.
            # What is released at once is not in it.
            models.Index(
                fields=["status", "created_at"],
                include=[
                    "id",
                    "intent_id",
                    "event_type",
                    "amount_minor",
                    "currency",
                    "strategy",
                    "risk_tier",
                    "rail",
                    "approvals_required",
                    "blocked_reason",
                    "settlement_delayed_until",
                ],
                condition=Q(status__in=["PENDING", "DELAYED"], amount_minor__gt=0),
                name="settlements_that_wait",
            ),
            models.Index(fields=["status", "-id"], name="settlements_by_status"),
            # The sums of the last days are read from these alone. What people release late lies among what is old, so
            # summaries of pages (BRIN) would point at most of the table.
            models.Index(
                fields=["released_at"],
                include=["currency", "amount_minor"],
                condition=Q(released_at__isnull=False),
                name="settlements_released",
            ),
            models.Index(
                fields=["created_at"],
                include=["currency", "amount_minor"],
                condition=~Q(strategy="IMMEDIATE") & Q(amount_minor__gt=0),
                name="settlements_held_back",
            ),
        ]
        triggers = [
            *guards.never_removed(),
            settlement_guards.STATUS_EDGES,
            settlement_guards.SETTLEMENT_ROW,
            settlement_guards.SETTLEMENT_CLAIM,
            settlement_guards.PROVIDERS_WORD,
        ]

    def __str__(self) -> str:
        return f"milestone settlement {self.pk}"


class Approval(models.Model):
    """What one officer decided about a settlement as it was at `version`; never changed."""

    APPROVE, REJECT = "APPROVE", "REJECT"

    settlement = models.ForeignKey(MilestoneSettlement, on_delete=models.PROTECT, related_name="approvals")
    approver = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    decision = models.TextField(choices=[(APPROVE, "approve"), (REJECT, "reject")])
    channel = models.TextField()
    reason = models.TextField()
    version = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["settlement", "approver", "version"],
                condition=Q(decision="APPROVE"),
                name="one_approval_per_officer_and_version",
            ),
            models.CheckConstraint(condition=Q(decision__in=["APPROVE", "REJECT"]), name="decision_is_known"),
            models.CheckConstraint(condition=Q(reason__regex=_WORDS), name="a_decision_has_a_reason"),
        ]
        indexes = [
            models.Index(fields=["created_at", "id"], condition=Q(decision="APPROVE"), name="approvals_by_time"),
        ]
        triggers = [*guards.append_only(), approval_guards.APPROVAL_ROW, approval_guards.APPROVAL_CHANNEL]

    def __str__(self) -> str:
        return f"{in_words(self.decision)} of milestone settlement {self.settlement_id}"


class Hold(models.Model):
    """A record that keeps a settlement from being released: who, why, when, lifted when."""

    settlement = models.ForeignKey(MilestoneSettlement, on_delete=models.PROTECT, related_name="holds")
    reason = models.TextField()
    placed_by = models.TextField()
    placed_at = models.DateTimeField()
    lifted_by = models.TextField(blank=True, default="")
    lifted_at = models.DateTimeField(null=True, blank=True)
    lift_reason = models.TextField(blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["settlement"], condition=Q(lifted_at__isnull=True), name="one_open_hold_per_settlement"
            ),
            models.CheckConstraint(condition=Q(reason__regex=_WORDS), name="a_hold_has_a_reason"),
            models.CheckConstraint(condition=Q(placed_by__regex=_WORDS), name="a_hold_names_who_placed_it"),
            models.CheckConstraint(
                condition=Q(lifted_at__isnull=True) | Q(lift_reason__regex=_WORDS, lifted_by__regex=_WORDS),
                name="lifting_has_a_reason",
            ),
        ]
        triggers = [*guards.never_removed(), guards.lifted_once()]

    def __str__(self) -> str:
        return f"hold on milestone settlement {self.settlement_id}"
