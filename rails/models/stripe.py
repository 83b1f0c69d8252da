"""What we keep of Stripe."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from rails.models.guards import append_only


class StripeInstallation(models.Model):
    """The mark by which Stripe tells this installation's settlements from those of any other; one row, for ever."""

    only_one = models.BooleanField(default=True)
    mark = models.TextField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["only_one"], name="one_installation"),
            models.CheckConstraint(name="the_only_installation", condition=Q(only_one=True)),
            models.CheckConstraint(name="mark_is_short_and_plain", condition=Q(mark__regex=r"^[0-9a-f]{12}$")),
        ]
        triggers = append_only()

    def __str__(self) -> str:
        return self.mark
