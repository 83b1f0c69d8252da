"""What people have to look at of the banks' inboxes: quarantined files until somebody dealt with them, and troubles."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from rails.models.ach_inbound import AchInboundFile
from rails.models.guards import Guard, append_only, never_removed
from rails.models.wire import WireMessage

_ONLY_QUARANTINED = """
    IF NOT EXISTS (SELECT 1 FROM rails_achinboundfile f WHERE f.id = NEW.ach_file_id AND f.faults <> '[]'
                   UNION ALL SELECT 1 FROM rails_wiremessage m WHERE m.id = NEW.wire_message_id AND m.fault <> '') THEN
        RAISE EXCEPTION 'Only a quarantined file of a bank is dealt with' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
"""
_ONLY_ENDING_FOLLOWS = """
    IF (to_jsonb(NEW) - 'ended_at') IS DISTINCT FROM (to_jsonb(OLD) - 'ended_at') OR OLD.ended_at IS NOT NULL THEN
        RAISE EXCEPTION 'Trouble % of an inbox: what was told stays so', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
"""


class BankFileDealing(models.Model):
    """How a person dealt with a quarantined file of a bank: either one of ACH or one about wires. It moves nothing."""

    ach_file = models.OneToOneField(
        AchInboundFile, on_delete=models.PROTECT, null=True, blank=True, related_name="dealing"
    )
    wire_message = models.OneToOneField(
        WireMessage, on_delete=models.PROTECT, null=True, blank=True, related_name="dealing"
    )
    dealt_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    actor = models.TextField()
    reason = models.TextField()
    dealt_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        verbose_name = "quarantined file dealt with"
        verbose_name_plural = "quarantined files dealt with"
        constraints = [
            models.CheckConstraint(
                name="one_file_is_dealt_with", condition=Q(ach_file__isnull=True) ^ Q(wire_message__isnull=True)
            ),
            models.CheckConstraint(
                name="who_dealt_with_a_file_says_how", condition=~Q(actor="") & Q(reason__regex=r"[^[:space:]]")
            ),
        ]
        triggers = [
            Guard(
                name="only_quarantined_files_are_dealt_with",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                func=_ONLY_QUARANTINED,
            ),
            *append_only(),
        ]

    def __str__(self) -> str:
        return f"{self.ach_file or self.wire_message}"


class InboxTrouble(models.Model):
    """Why an inbox, or one file in it, can not be read, until it can. `name` is the file's; "" is the whole inbox."""

    rail = models.TextField()
    name = models.TextField(default="", blank=True)
    words = models.TextField()
    began_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = "trouble of an inbox"
        verbose_name_plural = "troubles of inboxes"
        constraints = [
            models.UniqueConstraint(
                fields=["rail", "name", "words"],
                condition=Q(ended_at__isnull=True),
                name="a_trouble_of_an_inbox_is_told_once",
            ),
            models.CheckConstraint(name="a_trouble_has_a_rail_and_words", condition=~Q(rail="") & ~Q(words="")),
        ]
        triggers = [
            Guard(
                name="only_ending_follows",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                func=_ONLY_ENDING_FOLLOWS,
            ),
            *never_removed(),
        ]

    def __str__(self) -> str:
        return f"{self.name or 'the inbox'}: {self.words}"
