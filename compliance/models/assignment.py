"""Who works on a settlement of the review queue, and who did before."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q

from rails.models.guards import Guard, never_removed
from settlements.models import MilestoneSettlement
from settlements.models.guards import refuse

# An assignment begins open, for somebody who can log in to the admin, and on what still waits.
_BEGINS_OPEN = Guard(
    name="begins_open",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    func=f"""
        IF NEW.ended_at IS NOT NULL OR NEW.ended_by <> '' OR NEW.end_reason <> '' THEN
            {refuse("an assignment begins open")}
        END IF;
        IF NOT EXISTS (SELECT 1 FROM auth_user u WHERE u.id = NEW.assignee_id AND u.is_active AND u.is_staff) THEN
            {refuse("a settlement is assigned to active staff")}
        END IF;
        IF NOT EXISTS (SELECT 1 FROM settlements_milestonesettlement s WHERE s.id = NEW.settlement_id
                       AND s.status IN ('PENDING', 'DELAYED') AND s.amount_minor > 0) THEN
            {refuse("only a settlement that waits is assigned")}
        END IF;
        RETURN NEW;
    """,
)

_ENDS_ONCE = Guard(
    name="ends_once",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    func=f"""
        IF OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL OR
           (NEW.id, NEW.settlement_id, NEW.assignee_id, NEW.assigned_by, NEW.reason, NEW.assigned_at)
           IS DISTINCT FROM (OLD.id, OLD.settlement_id, OLD.assignee_id, OLD.assigned_by, OLD.reason, OLD.assigned_at)
        THEN
            {refuse("an assignment can only be ended, once")}
        END IF;
        RETURN NEW;
    """,
)


class Assignment(models.Model):
    """One officer's work on one settlement; the current one has no end. A decision leaves it as it is: it tells who
    had the settlement then."""

    settlement = models.ForeignKey(MilestoneSettlement, on_delete=models.PROTECT, related_name="assignments")
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="assignments", db_index=False
    )
    assigned_by = models.TextField()
    reason = models.TextField()
    assigned_at = models.DateTimeField()
    ended_by = models.TextField(blank=True, default="")
    end_reason = models.TextField(blank=True, default="")
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["settlement"], condition=Q(ended_at__isnull=True), name="one_current_assignee_per_settlement"
            ),
            models.CheckConstraint(
                condition=~Q(reason="") & ~Q(assigned_by=""), name="an_assignment_has_a_reason_and_an_author"
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | (~Q(end_reason="") & ~Q(ended_by="")),
                name="ending_an_assignment_has_a_reason",
            ),
        ]
        indexes = [
            models.Index(
                fields=["assignee", "settlement"],
                condition=Q(ended_at__isnull=True),
                name="current_assignments_of_a_user",
            )
        ]
        triggers = [*never_removed(), _BEGINS_OPEN, _ENDS_ONCE]

    def __str__(self) -> str:
        return f"assignment of milestone settlement {self.settlement_id}"
