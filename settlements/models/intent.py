"""What is owed for a freight token, and the schedule that splits it."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from rails.wording import in_words
from settlements.models import guards
from settlements.models.freight_token import FreightToken, Shipment
from settlements.statuses import EventType, IntentStatus, RiskTier, ScheduleType


class PaymentIntent(models.Model):
    """Amount (minor units) and currency owed for a freight token, with the risk as it was at creation."""

    freight_token = models.ForeignKey(FreightToken, on_delete=models.PROTECT, related_name="intents")
    shipment = models.ForeignKey(Shipment, on_delete=models.PROTECT, related_name="intents", db_index=False)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    description = models.TextField(blank=True, default="")
    payment_method = models.TextField(default="internal_ledger")
    # Its index is the one by recipient and id.
    recipient = models.ForeignKey("rails.Recipient", on_delete=models.PROTECT, null=True, blank=True, db_index=False)
    risk_score = models.DecimalField(max_digits=21, decimal_places=20, null=True, blank=True)
    risk_category = models.TextField(blank=True, default="")
    risk_tier = models.TextField()
    status = models.TextField(default=IntentStatus.PENDING)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    created_by_actor = models.TextField()
    created_at = models.DateTimeField()
    cancelled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        permissions = [
            ("create_intent", "Can create payment intents"),
            ("read_intents", "Can read payment intents"),
            ("settle_intent", "Can settle a payment intent by request"),
            ("complete_intent", "Can confirm local-rail settlements"),
            ("cancel_intent", "Can cancel a payment intent"),
            ("write_recipients", "Can write recipients"),
            ("read_recipients", "Can read recipients"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="intent_amount_is_positive"),
            models.CheckConstraint(condition=Q(status__in=list(IntentStatus)), name="intent_status_is_known"),
            models.CheckConstraint(condition=Q(risk_tier__in=list(RiskTier)), name="intent_tier_is_known"),
            models.CheckConstraint(condition=Q(payment_method__in=guards.METHODS), name="payment_method_is_known"),
            models.CheckConstraint(
                condition=Q(risk_score__isnull=True) | Q(risk_score__gte=0, risk_score__lte=1),
                name="intent_risk_score_lies_in_0_to_1",
            ),
            models.CheckConstraint(
                condition=Q(status="CANCELLED", cancelled_at__isnull=False)
                | (~Q(status="CANCELLED") & Q(cancelled_at__isnull=True)),
                name="cancelled_has_a_date",
            ),
        ]
        indexes = [
            models.Index(fields=["shipment", "id"], name="intents_of_a_shipment"),
            models.Index(fields=["status", "-id"], name="intents_by_status"),
            models.Index(fields=["risk_tier", "-id"], name="intents_by_tier"),
            models.Index(fields=["recipient", "-id"], name="intents_of_a_recipient"),
        ]
        triggers = [
            *guards.never_removed(),
            guards.fixed(
                "id",
                "freight_token_id",
                "shipment_id",
                "amount_minor",
                "currency",
                "recipient_id",
                "risk_score",
                "risk_tier",
                "created_by_id",
                "created_by_actor",
                "created_at",
            ),
            guards.CANCELLED_IS_FINAL,
            guards.schedule_sums_up("id"),
        ]

    def __str__(self) -> str:
        return f"payment intent {self.pk}"


class PaymentSchedule(models.Model):
    """How an intent is split; built when the intent is, and never changed."""

    intent = models.OneToOneField(PaymentIntent, on_delete=models.PROTECT, related_name="schedule")
    type = models.TextField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(type__in=list(ScheduleType)),
                name="schedule_type_is_known",
            )
        ]
        triggers = guards.append_only()

    def __str__(self) -> str:
        return f"schedule of payment intent {self.intent_id}"


class PaymentScheduleItem(models.Model):
    """What share of the intent one event type releases: `share` in 0..1, `amount_minor` allocated exactly."""

    intent = models.ForeignKey(PaymentIntent, on_delete=models.PROTECT, related_name="items", db_index=False)
    position = models.SmallIntegerField()
    event_type = models.TextField()
    share = models.DecimalField(max_digits=13, decimal_places=12)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["intent", "event_type"], name="one_item_per_intent_and_event"),
            models.UniqueConstraint(
                fields=["intent", "event_type", "amount_minor", "currency"], name="item_with_its_amount"
            ),
            models.CheckConstraint(condition=Q(share__gte=0, share__lte=1), name="share_lies_in_0_to_1"),
            models.CheckConstraint(condition=Q(amount_minor__gte=0), name="item_amount_is_not_negative"),
            models.CheckConstraint(condition=Q(event_type__in=list(EventType)), name="item_event_type_is_known"),
        ]
        triggers = [*guards.append_only(), guards.schedule_sums_up("intent_id")]

    def __str__(self) -> str:
        return f"{in_words(self.event_type)} of payment intent {self.intent_id}"


class IdempotencyKey(models.Model):
    """The first answer to a POST /payment_intents with an `Idempotency-Key`."""

    actor = models.TextField()
    key = models.TextField()
    body_hash = models.BinaryField(max_length=32)
    intent = models.ForeignKey(PaymentIntent, on_delete=models.PROTECT, null=True)
    answer = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(F("actor"), F("key"), name="one_answer_per_actor_and_key")]
        triggers = guards.never_removed()

    def __str__(self) -> str:
        return f"{self.actor}: {self.key}"
