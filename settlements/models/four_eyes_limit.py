"""Above which amount two officers must approve, as the database itself knows it."""

from django.db import models
from django.db.models import Q

from settlements.models import guards


class FourEyesLimit(models.Model):
    """From `set_at` on, settlements above this amount (minor units) need two approvers; the newest row counts.

    A currency without a row has the limit 0. Rows stay, so a limit that was loosened for an hour can be found.
    """

    currency = models.CharField(max_length=3)
    above_minor = models.BigIntegerField()
    set_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(above_minor__gte=0), name="limit_is_not_negative")]
        indexes = [models.Index(fields=["currency", "-id"], name="newest_limit_of_a_currency")]
        triggers = guards.append_only()

    def __str__(self) -> str:
        return f"four eyes above {self.above_minor} {self.currency} in minor units"
