"""The files that people put beside a settlement; the bytes are in the evidence storage, under their SHA-256."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from rails.models.guards import append_only
from settlements.models import MilestoneSettlement


class Evidence(models.Model):
    """One file: `size` in bytes, `sha256` in hex, `storage_key` where its bytes are; never changed."""

    settlement = models.ForeignKey(
        MilestoneSettlement, on_delete=models.PROTECT, related_name="evidence", db_index=False
    )
    name = models.TextField()
    media_type = models.TextField()
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    storage_key = models.TextField()
    description = models.TextField()
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    uploaded_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["settlement", "sha256"], name="a_file_is_evidence_once_per_settlement"),
            models.CheckConstraint(condition=Q(size__gt=0), name="evidence_has_content"),
            models.CheckConstraint(condition=Q(sha256__regex=r"^[0-9a-f]{64}$"), name="evidence_has_a_sha256_in_hex"),
            models.CheckConstraint(
                condition=~Q(name="") & ~Q(media_type="") & ~Q(storage_key=""),
                name="evidence_has_a_name_a_type_and_a_place",
            ),
            models.CheckConstraint(condition=~Q(description=""), name="evidence_says_what_it_shows"),
        ]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.name} of milestone settlement {self.settlement_id}"
