"""Bearer keys: who asks over the API."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from settlements.models import guards
from settlements.models.event_source import MOST_PER_SECOND
from settlements.models.source_guards import ENDS_ONCE
from settlements.permissions import GRANTABLE, OF_A_CARRIER, PERSONAL
from settlements.values import NAME

# Plain strings, for migrations keep them.
_GRANTABLE_SCOPES = sorted(scope.value for scope in GRANTABLE)
_CARRIER_SCOPES = sorted(scope.value for scope in OF_A_CARRIER)
_PERSONAL_SCOPES = sorted(scope.value for scope in PERSONAL)


class ApiKey(models.Model):
    """A bearer key, kept as its SHA-256: what it may do, for whom, and until when."""

    name = models.SlugField(unique=True)
    prefix = models.TextField()
    digest = models.BinaryField(max_length=32, unique=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    service = models.TextField(blank=True, default="")
    carrier_id = models.TextField(blank=True, default="")
    scopes = ArrayField(models.TextField())
    requests_per_second = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(MOST_PER_SECOND)]
    )
    created_by = models.TextField()
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API key"
        constraints = [
            models.CheckConstraint(condition=Q(name__regex=f"^{NAME.pattern}$"), name="a_key_has_a_plain_name"),
            models.CheckConstraint(
                condition=Q(user__isnull=True) ^ Q(service=""), name="a_key_belongs_to_a_user_or_a_service"
            ),
            models.CheckConstraint(
                condition=Q(user__isnull=False) | ~Q(scopes__overlap=_PERSONAL_SCOPES),
                name="only_a_user_decides",
            ),
            models.CheckConstraint(
                condition=Q(carrier_id="") | Q(user__isnull=True, scopes__contained_by=_CARRIER_SCOPES),
                name="a_carrier_only_reads_its_own",
            ),
            models.CheckConstraint(
                condition=Q(scopes__len__gte=1, scopes__contained_by=_GRANTABLE_SCOPES), name="scopes_are_known"
            ),
            models.CheckConstraint(
                condition=Q(expires_at__isnull=True) | Q(expires_at__gt=F("created_at")), name="a_key_lives_a_while"
            ),
            models.CheckConstraint(
                condition=Q(requests_per_second__isnull=True)
                | Q(requests_per_second__gte=1, requests_per_second__lte=MOST_PER_SECOND),
                name="a_key_may_ask_something",
            ),
        ]
        triggers = [
            *guards.never_removed(),
            guards.fixed(
                "id",
                "name",
                "prefix",
                "digest",
                "user_id",
                "service",
                "carrier_id",
                "scopes",
                "created_by",
                "created_at",
            ),
            ENDS_ONCE,
        ]

    def __str__(self) -> str:
        return self.name
