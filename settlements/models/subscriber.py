"""Who is told of settlements, the secrets that sign what it is told, and the messages themselves: the outbox."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from rails.wording import in_words
from settlements.models import guards
from settlements.models.audit_event import AuditEvent
from settlements.models.settlement import MilestoneSettlement
from settlements.models.source_guards import ENDS_ONCE, SEALED_ONCE_PER_KEY
from settlements.models.subscriber_guards import DELIVERY_EDGES, DELIVERY_ROW, DELIVERY_TELLS
from settlements.statuses import PLATFORM_NEWS, SETTLEMENT_NEWS, TO_SUBSCRIBE, DeliveryState
from settlements.values import NAME

# Plain strings, for migrations keep them.
_NEWS = [news.value for news in SETTLEMENT_NEWS]
_OF_THE_PLATFORM = [news.value for news in PLATFORM_NEWS]
_TO_SUBSCRIBE = [news.value for news in TO_SUBSCRIBE]
_STATES = [state.value for state in DeliveryState]


class Subscriber(models.Model):
    """Who is told, where, and of what; with a `carrier_id` only of settlements whose token carries it."""

    name = models.SlugField(unique=True)
    url = models.TextField()
    event_types = ArrayField(models.TextField())
    carrier_id = models.TextField(blank=True, default="")
    active = models.BooleanField(default=True)
    created_by = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(condition=Q(name__regex=f"^{NAME.pattern}$"), name="a_subscriber_has_a_plain_name"),
            models.CheckConstraint(
                condition=Q(event_types__len__gte=1, event_types__contained_by=_TO_SUBSCRIBE),
                name="a_subscriber_is_told_of_known_events",
            ),
            models.CheckConstraint(
                condition=Q(carrier_id="") | ~Q(event_types__overlap=_OF_THE_PLATFORM),
                name="a_carrier_is_told_of_its_settlements_alone",
            ),
            models.CheckConstraint(condition=~Q(url=""), name="a_subscriber_has_an_address"),
        ]
        triggers = [
            *guards.never_removed(),
            # A carrier's subscriber stays that carrier's: its older messages are still to be sent.
            guards.fixed("id", "name", "carrier_id", "created_by", "created_at"),
        ]

    def __str__(self) -> str:
        return self.name


class SubscriberSecret(models.Model):
    """One signing secret of a subscriber, sealed; each message is signed by all that are live."""

    subscriber = models.ForeignKey(Subscriber, on_delete=models.PROTECT, related_name="secrets")
    sealed = models.TextField()
    hint = models.TextField()
    created_by = models.TextField()
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ("view",)
        triggers = [
            *guards.never_removed(),
            guards.fixed("id", "subscriber_id", "hint", "created_by", "created_at"),
            ENDS_ONCE,
            SEALED_ONCE_PER_KEY,
        ]

    def __str__(self) -> str:
        return f"secret …{self.hint}"


class Delivery(models.Model):
    """One message to one subscriber, written with the audit event it tells of; a test message and news of the whole
    platform tell of none, and the latter have their body from the beginning. The event may be in an archive by now.

    `payload` is empty until it is prepared, then the body as it is sent ever after. `failures` counts since
    `give_up_at` was set, `attempts` all there were.
    """

    message_id = models.TextField(unique=True)
    subscriber = models.ForeignKey(Subscriber, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    audit_event = models.ForeignKey(
        AuditEvent,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        db_constraint=False,  # an event may leave for an archive; DELIVERY_TELLS asks for it when it is told
    )
    settlement = models.ForeignKey(
        MilestoneSettlement, on_delete=models.PROTECT, null=True, blank=True, related_name="deliveries"
    )
    event_type = models.TextField()
    state = models.TextField(default=DeliveryState.WAITING.value)
    payload = models.TextField(blank=True, default="")
    attempts = models.IntegerField(default=0)
    failures = models.IntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    give_up_at = models.DateTimeField()
    last_status = models.IntegerField(null=True, blank=True)
    last_error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ("view",)
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["audit_event", "subscriber", "settlement", "event_type"],
                name="one_message_per_subscriber_and_event",
            ),
            models.CheckConstraint(
                condition=Q(event_type="ping", audit_event__isnull=True, settlement__isnull=True)
                | Q(event_type__in=_NEWS, audit_event__isnull=False, settlement__isnull=False)
                | Q(event_type__in=_OF_THE_PLATFORM, audit_event__isnull=True, settlement__isnull=True)
                & ~Q(payload=""),
                name="news_tell_of_an_audit_event",
            ),
            models.CheckConstraint(condition=Q(state__in=_STATES), name="state_of_a_delivery_is_known"),
            models.CheckConstraint(
                condition=~Q(state="DELIVERED") | Q(delivered_at__isnull=False, attempts__gte=1) & ~Q(payload=""),
                name="delivered_was_sent",
            ),
            models.CheckConstraint(
                condition=Q(failures__gte=0, attempts__gte=F("failures")), name="failures_are_attempts"
            ),
            models.CheckConstraint(
                condition=Q(message_id__regex=r"^msg_[0-9a-f]{32}$"), name="message_id_is_one_of_ours"
            ),
        ]
        indexes = [
            models.Index(
                fields=["subscriber", "next_attempt_at", "id"],
                condition=Q(state="WAITING"),
                name="deliveries_that_wait",
            ),
            models.Index(fields=["subscriber", "-id"], name="deliveries_of_a_subscriber"),
            models.Index(fields=["state", "-id"], name="deliveries_by_state"),
        ]
        triggers = [*guards.never_removed(), DELIVERY_EDGES, DELIVERY_ROW, DELIVERY_TELLS]

    def __str__(self) -> str:
        return f"{in_words(self.event_type)}, message {self.message_id}"
