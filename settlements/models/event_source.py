"""Who may post events, and the webhook secrets by which it is known."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from settlements.models import guards
from settlements.models.source_guards import ENDS_ONCE, REVISION_RISES, SEALED_ONCE_PER_KEY
from settlements.values import NAME

MOST_PER_SECOND = 100_000


class EventSource(models.Model):
    """Who may post events: the platform, or one carrier and then only for tokens with its `carrier_id`.

    `revision` rises with every change of the source or its secrets, so that who remembers one knows when not to.
    """

    PLATFORM, CARRIER = "platform", "carrier"

    name = models.SlugField(unique=True)
    kind = models.TextField(choices=[(PLATFORM, PLATFORM), (CARRIER, CARRIER)])
    carrier_id = models.TextField(blank=True, default="")
    allowed_event_types = ArrayField(models.TextField(), default=list)
    active = models.BooleanField(default=True)
    requests_per_second = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(MOST_PER_SECOND)]
    )
    revision = models.BigIntegerField(default=1)
    created_by = models.TextField(default="", blank=True)
    created_at = models.DateTimeField()

    class Meta:
        permissions = [("manage_integrations", "Can manage event sources, API keys and subscribers")]
        constraints = [
            models.CheckConstraint(condition=Q(name__regex=f"^{NAME.pattern}$"), name="a_source_has_a_plain_name"),
            models.CheckConstraint(
                condition=Q(kind="platform", carrier_id="") | (Q(kind="carrier") & ~Q(carrier_id="")),
                name="a_carrier_source_names_its_carrier",
            ),
            models.CheckConstraint(
                condition=Q(requests_per_second__isnull=True)
                | Q(requests_per_second__gte=1, requests_per_second__lte=MOST_PER_SECOND),
                name="a_source_may_send_something",
            ),
        ]
        triggers = [*guards.never_removed(), guards.fixed("id", "name", "kind", "carrier_id"), REVISION_RISES]

    def __str__(self) -> str:
        return self.name


class SourceSecret(models.Model):
    """One webhook secret of a source, sealed; live until it expires or is revoked, several at a time."""

    source = models.ForeignKey(EventSource, on_delete=models.PROTECT, related_name="secrets")
    sealed = models.TextField()
    hint = models.TextField()
    created_by = models.TextField()
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ("view",)
        triggers = [
            *guards.never_removed(),
            guards.fixed("id", "source_id", "hint", "created_by", "created_at"),
            ENDS_ONCE,
            SEALED_ONCE_PER_KEY,
        ]

    def __str__(self) -> str:
        return f"secret …{self.hint}"
