"""The messages that tell the team what waits, and of which settlements each has told."""

import pgtrigger
from django.db import models
from django.db.models import Q

from rails.models.guards import Guard
from settlements.models import MilestoneSettlement
from settlements.models.guards import fixed, never_removed, refuse

_ENDS_ONCE = Guard(
    name="a_wait_ends_once",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    func=f"""
        IF OLD.left_at IS NOT NULL AND NEW.left_at IS DISTINCT FROM OLD.left_at THEN
            {refuse("a wait that has ended stays ended")}
        END IF;
        RETURN NEW;
    """,
)
_SENT_ONCE = Guard(
    name="mail_is_sent_once",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    func=f"""
        IF NEW.attempts < OLD.attempts THEN
            {refuse("attempts are only ever added")}
        END IF;
        IF OLD.sent_at IS NOT NULL AND (NEW.sent_at, NEW.next_attempt_at) IS DISTINCT FROM
           (OLD.sent_at, OLD.next_attempt_at) THEN
            {refuse("a mail that was sent stays sent")}
        END IF;
        RETURN NEW;
    """,
)


class ReviewDigest(models.Model):
    """One message to the team, with its text as it is sent however often it is tried.

    `next_attempt_at` is empty when no mail waits to be sent: it was, or nobody wanted one.
    """

    message_id = models.TextField(unique=True)
    subject = models.TextField()
    text = models.TextField()
    html = models.TextField()
    attempts = models.IntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=Q(sent_at__isnull=True) | Q(next_attempt_at__isnull=True, attempts__gte=1),
                name="sent_mail_was_tried_and_waits_no_more",
            ),
            models.CheckConstraint(
                condition=~Q(subject="") & ~Q(text="") & ~Q(html=""), name="a_digest_says_something"
            ),
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], condition=Q(next_attempt_at__isnull=False), name="mail_that_waits")
        ]
        triggers = [
            *never_removed(),
            fixed("id", "message_id", "subject", "text", "html", "created_at"),
            _SENT_ONCE,
        ]

    def __str__(self) -> str:
        return f"review digest {self.pk}"


class DigestItem(models.Model):
    """That a digest told of one settlement: that it is new in the queue, or that it missed the target.

    `left_at` is when the settlement was first seen to wait no more; if it comes back, it is told of again.
    """

    NEW, TARGET_MISSED = "NEW", "TARGET_MISSED"

    digest = models.ForeignKey(ReviewDigest, on_delete=models.PROTECT, related_name="items")
    settlement = models.ForeignKey(MilestoneSettlement, on_delete=models.PROTECT, related_name="+")
    kind = models.TextField(choices=[(NEW, "new"), (TARGET_MISSED, "target missed")])
    left_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["settlement", "kind"], condition=Q(left_at__isnull=True), name="told_once_while_it_waits"
            ),
            models.UniqueConstraint(fields=["digest", "settlement", "kind"], name="told_once_in_a_digest"),
            models.CheckConstraint(condition=Q(kind__in=["NEW", "TARGET_MISSED"]), name="kind_of_news_is_known"),
        ]
        triggers = [*never_removed(), fixed("id", "digest_id", "settlement_id", "kind"), _ENDS_ONCE]

    def __str__(self) -> str:
        return f"{self.kind} of milestone settlement {self.settlement_id}"
