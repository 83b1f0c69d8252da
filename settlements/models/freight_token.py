"""The upstream's view of a freight: which shipment, how risky, who hauls and who is paid."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Length

from settlements.models import guards

models.TextField.register_lookup(Length)


class Shipment(models.Model):
    """A shipment by its upstream reference; its row is the lock that events, intents and releases share."""

    shipment_id = models.TextField(unique=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(shipment_id__length__gte=1, shipment_id__length__lte=200),
                name="shipment_id_has_1_to_200_characters",
            )
        ]
        triggers = [*guards.never_removed(), guards.fixed("id", "shipment_id")]

    def __str__(self) -> str:
        return self.shipment_id


class FreightToken(models.Model):
    """An upstream reference (`id` is the `freight_token_id`) to a shipment, with its current risk."""

    id = models.BigIntegerField(primary_key=True)
    shipment = models.ForeignKey(Shipment, on_delete=models.PROTECT, related_name="tokens")
    status = models.TextField(default="active")
    risk_score = models.DecimalField(max_digits=21, decimal_places=20, null=True, blank=True)
    risk_category = models.TextField(blank=True, default="")
    carrier_id = models.TextField(blank=True, default="")
    recipient = models.ForeignKey("rails.Recipient", on_delete=models.PROTECT, null=True, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        permissions = [("write_tokens", "Can push freight tokens"), ("read_tokens", "Can read freight tokens")]
        constraints = [
            models.CheckConstraint(condition=Q(id__gt=0), name="freight_token_id_is_positive"),
            models.CheckConstraint(
                condition=Q(risk_score__isnull=True) | Q(risk_score__gte=0, risk_score__lte=1),
                name="risk_score_lies_in_0_to_1",
            ),
            models.UniqueConstraint(fields=["id", "shipment"], name="token_with_its_shipment"),
        ]
        indexes = [models.Index(fields=["carrier_id", "id"], condition=~Q(carrier_id=""), name="tokens_of_a_carrier")]
        triggers = [*guards.never_removed(), guards.fixed("id", "shipment_id")]

    def __str__(self) -> str:
        return f"freight token {self.pk}"
