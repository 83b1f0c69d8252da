"""What two people say of a staged file that its outbox has lost: the bank has it, or it never got it."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from rails.models.ach import AchFile
from rails.models.guards import Guard, never_removed
from rails.models.wire import WireFile

# The file is locked, so that whoever hands it over in this moment sees the verdict, or has handed it over before.
# A file that its outbox or the bank itself knows was sent.
_KNOWN_SENT = """
    IF NEW.verdict = 'NEVER_SENT' AND EXISTS (
        SELECT 1 FROM rails_achfile f WHERE f.id = NEW.ach_file_id AND f.known_sent_at IS NOT NULL
        UNION ALL SELECT 1 FROM rails_wirefile f WHERE f.id = NEW.wire_file_id AND f.known_sent_at IS NOT NULL
        UNION ALL SELECT 1 FROM rails_wireentry e JOIN rails_wireevidence v ON v.entry_id = e.id
        WHERE e.file_id = NEW.wire_file_id) THEN
        RAISE EXCEPTION 'A file that the bank has answered was not never sent' USING ERRCODE = 'check_violation';
    END IF;
"""
_ONLY_WHAT_LIES_STAGED = f"""
    PERFORM 1 FROM rails_achfile WHERE id = NEW.ach_file_id FOR NO KEY UPDATE;
    PERFORM 1 FROM rails_wirefile WHERE id = NEW.wire_file_id FOR NO KEY UPDATE;
    IF NOT EXISTS (SELECT 1 FROM rails_achfile f WHERE f.id = NEW.ach_file_id AND f.state = 'STAGED'
                   AND f.lost_at IS NOT NULL
                   UNION ALL SELECT 1 FROM rails_wirefile f WHERE f.id = NEW.wire_file_id AND f.state = 'STAGED'
                   AND f.lost_at IS NOT NULL) THEN
        RAISE EXCEPTION 'Only a staged file that its outbox has lost is judged' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.confirmed_at IS NOT NULL OR NEW.taken_back_at IS NOT NULL THEN
        RAISE EXCEPTION 'A verdict on a file is proposed before anything else' USING ERRCODE = 'check_violation';
    END IF;
    {_KNOWN_SENT}
    RETURN NEW;
"""
_END = (
    "ARRAY['looked_at', 'confirmed_by_id', 'confirmed_actor', 'confirmed_reason', 'confirmed_at', "
    "'taken_back_by_id', 'taken_back_actor', 'taken_back_reason', 'taken_back_at']"
)
_ONLY_ITS_END_FOLLOWS = f"""
    IF (to_jsonb(NEW) - {_END}) IS DISTINCT FROM (to_jsonb(OLD) - {_END})
        OR OLD.confirmed_at IS NOT NULL OR OLD.taken_back_at IS NOT NULL THEN
        RAISE EXCEPTION 'Verdict % on a file: what was written stays so', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.confirmed_at IS NOT NULL THEN
        {_KNOWN_SENT}
    END IF;
    RETURN NEW;
"""
_THE_FILE_FOLLOWS = """
    IF NEW.confirmed_at IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM (SELECT state FROM rails_achfile WHERE id = NEW.ach_file_id
                       UNION ALL SELECT state FROM rails_wirefile WHERE id = NEW.wire_file_id) file
        WHERE (NEW.verdict = 'NEVER_SENT' AND file.state = 'NEVER_SENT')
           OR (NEW.verdict = 'AT_THE_BANK' AND file.state IN ('HANDED_OVER', 'REFUSED'))
    ) THEN
        RAISE EXCEPTION 'Verdict % on a file: the file follows it', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
"""


class Verdict(models.TextChoices):
    """AT_THE_BANK: it was taken, under the bank's reference. NEVER_SENT: the bank has none of it, and never will."""

    AT_THE_BANK = "AT_THE_BANK", "The bank has it"
    NEVER_SENT = "NEVER_SENT", "The bank never got it"


class FileVerdict(models.Model):
    """Proposed by one person, confirmed by another or taken back; while it stands the file is not handed over.

    `looked_at`: when a worker first looked into the outbox after the proposal.
    """

    ach_file = models.ForeignKey(
        AchFile, on_delete=models.PROTECT, null=True, blank=True, related_name="verdicts", db_index=False
    )
    wire_file = models.ForeignKey(
        WireFile, on_delete=models.PROTECT, null=True, blank=True, related_name="verdicts", db_index=False
    )
    verdict = models.TextField(choices=Verdict)
    bank_reference = models.TextField(default="", blank=True)
    reason = models.TextField()
    proposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    proposed_actor = models.TextField()
    proposed_at = models.DateTimeField(db_default=Now())
    looked_at = models.DateTimeField(null=True, blank=True)
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    confirmed_actor = models.TextField(default="", blank=True)
    confirmed_reason = models.TextField(default="", blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    taken_back_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    taken_back_actor = models.TextField(default="", blank=True)
    taken_back_reason = models.TextField(default="", blank=True)
    taken_back_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = "verdict on a lost file"
        verbose_name_plural = "verdicts on lost files"
        constraints = [
            models.UniqueConstraint(
                fields=["ach_file"], condition=Q(taken_back_at__isnull=True), name="one_verdict_on_an_ach_file"
            ),
            models.UniqueConstraint(
                fields=["wire_file"], condition=Q(taken_back_at__isnull=True), name="one_verdict_on_a_wire_file"
            ),
            models.CheckConstraint(
                name="a_verdict_is_on_one_file", condition=Q(ach_file__isnull=True) ^ Q(wire_file__isnull=True)
            ),
            models.CheckConstraint(name="a_verdict_is_known", condition=Q(verdict__in=Verdict.values)),
            models.CheckConstraint(
                name="a_verdict_has_a_reason_and_an_actor",
                condition=~Q(proposed_actor="") & Q(reason__regex=r"[^[:space:]]"),
            ),
            models.CheckConstraint(
                name="what_the_bank_has_it_gave_a_reference",
                condition=Q(verdict="NEVER_SENT") | Q(bank_reference__regex=r"[^[:space:]]"),
            ),
            models.CheckConstraint(
                name="another_person_confirms_a_verdict",
                condition=Q(confirmed_at__isnull=True, confirmed_by__isnull=True, confirmed_actor="")
                | (
                    Q(confirmed_at__isnull=False, confirmed_by__isnull=False)
                    & ~Q(confirmed_by=F("proposed_by"))
                    & ~Q(confirmed_actor="")
                    & Q(confirmed_reason__regex=r"[^[:space:]]")
                ),
            ),
            models.CheckConstraint(
                name="never_sent_is_confirmed_after_a_look",
                condition=Q(confirmed_at__isnull=True) | Q(verdict="AT_THE_BANK") | Q(looked_at__isnull=False),
            ),
            models.CheckConstraint(
                name="a_verdict_is_taken_back_by_somebody",
                condition=Q(taken_back_at__isnull=True, taken_back_by__isnull=True, taken_back_actor="")
                | (
                    Q(taken_back_at__isnull=False, taken_back_by__isnull=False, confirmed_at__isnull=True)
                    & ~Q(taken_back_actor="")
                    & Q(taken_back_reason__regex=r"[^[:space:]]")
                ),
            ),
        ]
        triggers = [
            Guard(
                name="only_what_lies_staged_is_judged",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                func=_ONLY_WHAT_LIES_STAGED,
            ),
            Guard(
                name="only_its_end_follows",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                func=_ONLY_ITS_END_FOLLOWS,
            ),
            Guard(
                name="the_file_follows_its_verdict",
                when=pgtrigger.After,
                operation=pgtrigger.Update,
                timing=pgtrigger.Deferred,
                func=_THE_FILE_FOLLOWS,
            ),
            *never_removed(),
        ]

    def __str__(self) -> str:
        return f"{self.ach_file or self.wire_file}: {self.get_verdict_display()}"

    @property
    def file(self) -> AchFile | WireFile:
        """The file that it is about."""
        file = self.ach_file or self.wire_file
        assert file is not None
        return file
