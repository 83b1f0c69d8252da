"""Every time the books were verified: who, when, how long, and what was found."""

from datetime import timedelta

from django.db import models
from django.db.models import F, Q

from settlements.models import guards


class BooksCheck(models.Model):
    """One run of `verify_books`, written when it has ended and never changed.

    `difference` is the first one found, in a sentence; `error` says why it could not be carried through. With neither,
    all is proven. `failed_check` names the check that ended it, `proven` lists those before it:
    `{"check": ..., "rows": ..., "seconds": "1.2"}`. `night` is set on the run of a night that was carried through, of
    which there is one. `notes` are sentences on what contradicts nothing and has to be known.
    """

    actor = models.TextField()
    night = models.DateField(null=True, blank=True, unique=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    rows = models.BigIntegerField(default=0)
    proven = models.JSONField(default=list, blank=True)
    failed_check = models.TextField(default="", blank=True)
    difference = models.TextField(default="", blank=True)
    error = models.TextField(default="", blank=True)
    notes = models.JSONField(default=list, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = "verification of the books"
        verbose_name_plural = "verifications of the books"
        constraints = [
            models.CheckConstraint(name="a_books_check_names_its_actor", condition=~Q(actor="")),
            models.CheckConstraint(
                name="a_books_check_ends_after_it_began", condition=Q(finished_at__gte=F("started_at"))
            ),
            models.CheckConstraint(
                name="a_books_check_has_one_outcome",
                condition=Q(failed_check="", difference="", error="")
                | (~Q(failed_check="") & (Q(difference="") & ~Q(error="") | ~Q(difference="") & Q(error=""))),
            ),
        ]
        indexes = [
            models.Index(fields=["-started_at"], name="books_checks_by_time"),
            models.Index(fields=["-started_at"], condition=~Q(failed_check=""), name="books_checks_not_proven"),
        ]
        triggers = guards.append_only()

    def __str__(self) -> str:
        return f"verification of the books of {self.started_at:%Y-%m-%d %H:%M} UTC"

    @property
    def is_proven(self) -> bool:
        """Whether every check was carried through and found nothing."""
        return self.failed_check == ""

    @property
    def took(self) -> timedelta:
        """How long it ran."""
        return self.finished_at - self.started_at
