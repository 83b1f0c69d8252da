"""Who had the page of which settlement on their screen, and when."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from rails.models import guards
from settlements.models import MilestoneSettlement


class Opening(models.Model):
    """One page of the review queue as it was really visible: one row per rendering (`nonce`), never changed.

    `version` is the one that the page showed, so that an approval of another one finds no opening.
    """

    # Both foreign keys are looked up by the index below.
    settlement = models.ForeignKey(MilestoneSettlement, on_delete=models.PROTECT, related_name="+", db_index=False)
    officer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    version = models.TextField()
    nonce = models.UUIDField(unique=True)
    opened_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=~Q(version=""), name="an_opening_is_of_a_version")]
        indexes = [
            models.Index(fields=["settlement", "officer", "version", "opened_at"], name="openings_of_an_officer"),
        ]
        triggers = [*guards.append_only()]

    def __str__(self) -> str:
        return f"opening of milestone settlement {self.settlement_id}"
