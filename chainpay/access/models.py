"""What is remembered of failed attempts to log in."""

from django.db import models


class Lockout(models.Model):
    """How often somebody failed of late. One writer: `access.lockout`.

    `subject` is a keyed hash of who is counted: what people type as user names is now and then a password.
    """

    subject = models.CharField(primary_key=True, max_length=64)
    failures = models.PositiveIntegerField()
    locked_until = models.DateTimeField(null=True)
    forgotten_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(failures__gt=0), name="a_lockout_counts_failures"),
            models.CheckConstraint(
                condition=models.Q(locked_until=None) | models.Q(forgotten_at__gte=models.F("locked_until")),
                name="a_lockout_is_not_forgotten_early",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.failures} failures, locked until {self.locked_until}"
