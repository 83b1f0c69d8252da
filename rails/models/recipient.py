"""Who gets paid, and who changed that."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from rails.models.guards import Guard, append_only, never_removed

_ONE_STEP_PER_EDIT = """
    IF NEW.recipient_id IS DISTINCT FROM OLD.recipient_id OR NEW.created_at IS DISTINCT FROM OLD.created_at THEN
        RAISE EXCEPTION 'Recipient % keeps its id and its day of birth', OLD.recipient_id
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.revision < OLD.revision OR NEW.revision > OLD.revision + 1 THEN
        RAISE EXCEPTION 'Recipient %: revision % may not become %', OLD.recipient_id, OLD.revision, NEW.revision
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.revision = OLD.revision
        AND (NEW.name, NEW.payouts_enabled) IS DISTINCT FROM (OLD.name, OLD.payouts_enabled) THEN
        RAISE EXCEPTION 'Recipient %: an edit raises the revision', OLD.recipient_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
"""


class Recipient(models.Model):
    """A carrier or its factor. `revision` counts its edits, so that an approval knows which one it saw."""

    recipient_id = models.TextField()
    name = models.TextField()
    revision = models.IntegerField(default=1)
    payouts_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["recipient_id"]
        constraints = [
            models.UniqueConstraint(fields=["recipient_id"], name="recipient_is_known_once"),
            models.CheckConstraint(
                name="recipient_id_is_visible_characters",
                condition=Q(recipient_id__regex=r"^[^[:space:][:cntrl:]]{1,200}$"),
            ),
            models.CheckConstraint(name="recipient_has_a_name", condition=Q(name__regex=r"^.{0,199}[^[:space:]]")),
            models.CheckConstraint(name="recipient_revision_counts_from_one", condition=Q(revision__gte=1)),
        ]
        triggers = [
            Guard(
                name="an_edit_is_one_revision",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                func=_ONE_STEP_PER_EDIT,
            ),
            *never_removed(),
        ]

    def __str__(self) -> str:
        return f"{self.recipient_id} ({self.name})"


class RecipientEdit(models.Model):
    """One change of a recipient: who made it, and what became of what (`changes`: {field: [before, after]})."""

    recipient = models.ForeignKey(Recipient, on_delete=models.PROTECT, related_name="edits", db_index=False)
    edited_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    actor = models.TextField()
    changes = models.JSONField()
    reason = models.TextField(default="", blank=True)
    revision = models.IntegerField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["recipient", "revision"], name="a_revision_is_one_edit"),
            models.CheckConstraint(name="an_edit_names_its_actor", condition=~Q(actor="")),
        ]
        triggers = append_only()

    def __str__(self) -> str:
        return f"Revision {self.revision} of recipient {self.recipient_id}"
