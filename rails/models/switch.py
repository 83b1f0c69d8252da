"""Which rails a person has turned off."""

from django.db import models
from django.db.models import Q

from rails.base import SettlementProvider
from rails.wording import in_words


class RailSwitch(models.Model):
    """The last turn of one rail's switch; a rail without a row is on, if it exists at all."""

    rail = models.TextField(choices=[(provider.value, provider.method) for provider in SettlementProvider])
    enabled = models.BooleanField()
    reason = models.TextField()
    actor = models.TextField()
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["rail"]
        constraints = [
            models.UniqueConstraint(fields=["rail"], name="rail_has_one_switch"),
            models.CheckConstraint(
                name="rail_is_known", condition=Q(rail__in=[provider.value for provider in SettlementProvider])
            ),
            models.CheckConstraint(name="a_switch_has_a_reason", condition=~Q(reason="")),
            models.CheckConstraint(name="a_switch_names_its_actor", condition=~Q(actor="")),
        ]
        verbose_name_plural = "rail switches"

    def __str__(self) -> str:
        return f"{in_words(self.rail)} {'on' if self.enabled else 'off'}"

    @classmethod
    def is_off(cls, provider: SettlementProvider) -> bool:
        """Whether a person has turned the rail off."""
        return cls.objects.filter(rail=provider.value, enabled=False).exists()
