"""Every export that was asked for: what of, by whom, how far it is, and what left."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q

from rails.models.guards import Fsm, Guard
from rails.wording import in_words
from settlements.models import guards


class ExportState(models.TextChoices):
    """Where it stands. SENT was streamed to its end, READY lies as a file, EXPIRED is a file that was removed."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SENT = "SENT"
    READY = "READY"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"


# Back to QUEUED goes a file whose worker died.
EXPORT_EDGES: dict[ExportState, frozenset[ExportState]] = {
    ExportState.QUEUED: frozenset({ExportState.RUNNING, ExportState.FAILED}),
    ExportState.RUNNING: frozenset({ExportState.QUEUED, ExportState.SENT, ExportState.READY, ExportState.FAILED}),
    ExportState.SENT: frozenset(),
    ExportState.READY: frozenset({ExportState.EXPIRED}),
    ExportState.FAILED: frozenset(),
    ExportState.EXPIRED: frozenset(),
}
STREAM, FILE = "STREAM", "FILE"
_DONE = ["SENT", "READY", "EXPIRED"]

_BEGINS = f"""
    IF NEW.state NOT IN ('QUEUED', 'RUNNING') OR NEW.sha256 <> '' OR NEW.finished_at IS NOT NULL THEN
        {guards.refuse("an export begins before anything of it has left")}
    END IF;
    RETURN NEW;
"""
_FIGURES_STAY = f"""
    IF OLD.finished_at IS NOT NULL
       AND ROW(NEW.rows_done, NEW.rows_total, NEW.bytes_done, NEW.totals, NEW.sha256, NEW.error, NEW.finished_at)
       IS DISTINCT FROM
           ROW(OLD.rows_done, OLD.rows_total, OLD.bytes_done, OLD.totals, OLD.sha256, OLD.error, OLD.finished_at) THEN
        {guards.refuse("what left is not told differently afterwards")}
    END IF;
    RETURN NEW;
"""


class Export(models.Model):
    """One export. `asked` is what was asked for, as data, and `filter_words` the same for reading.

    `rows_done` and `bytes_done` count what was handed over by now, `rows_total` what there is, once known; `totals` are
    amounts in major units by currency, as texts. `requested_by` is the person, if one asked; `actor` names them or the
    service. `delivery` says whether it is streamed or kept as a file.
    """

    dataset = models.TextField()
    version = models.SmallIntegerField()
    delivery = models.TextField(choices=[(STREAM, "streamed"), (FILE, "file")])
    asked = models.JSONField()
    filter_words = models.TextField()
    file_name = models.TextField()
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    actor = models.TextField()
    state = models.TextField(choices=ExportState)
    tries = models.SmallIntegerField(default=0)
    rows_done = models.BigIntegerField(default=0)
    rows_total = models.BigIntegerField(null=True, blank=True)
    bytes_done = models.BigIntegerField(default=0)
    totals = models.JSONField(default=dict, blank=True)
    sha256 = models.TextField(default="", blank=True)
    error = models.TextField(default="", blank=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(name="export_state_is_known", condition=Q(state__in=ExportState.values)),
            models.CheckConstraint(
                name="export_is_streamed_or_a_file",
                condition=Q(delivery=STREAM, state__in=["RUNNING", "SENT", "FAILED"])
                | Q(delivery=FILE, state__in=["QUEUED", "RUNNING", "READY", "FAILED", "EXPIRED"]),
            ),
            models.CheckConstraint(
                name="what_left_has_its_figures",
                condition=~Q(state__in=_DONE)
                | (Q(rows_total=models.F("rows_done")) & Q(sha256__regex="^[0-9a-f]{64}$")),
            ),
            models.CheckConstraint(
                name="an_export_ends_when_it_is_over",
                condition=Q(state__in=["QUEUED", "RUNNING"], finished_at__isnull=True)
                | Q(state__in=[*_DONE, "FAILED"], finished_at__isnull=False),
            ),
            models.CheckConstraint(
                name="a_file_is_kept_until_a_date", condition=~Q(state="READY") | Q(expires_at__isnull=False)
            ),
            models.CheckConstraint(name="a_failed_export_says_why", condition=~Q(state="FAILED") | ~Q(error="")),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(state__in=["QUEUED", "RUNNING"]), name="exports_under_way"),
            models.Index(fields=["expires_at"], condition=Q(state="READY"), name="exports_to_remove"),
        ]
        triggers = [
            *guards.never_removed(),
            guards.fixed(
                "id",
                "dataset",
                "version",
                "delivery",
                "asked",
                "filter_words",
                "file_name",
                "requested_by_id",
                "actor",
                "created_at",
            ),
            Guard(name="begins_with_nothing", when=pgtrigger.Before, operation=pgtrigger.Insert, func=_BEGINS),
            Guard(name="figures_stay", when=pgtrigger.Before, operation=pgtrigger.Update, func=_FIGURES_STAY),
            Fsm(
                name="state_follows_the_table",
                field="state",
                transitions=sorted((old.value, new.value) for old, news in EXPORT_EDGES.items() for new in news),
            ),
        ]

    def __str__(self) -> str:
        return f"{in_words(self.dataset)}, export {self.pk}"
