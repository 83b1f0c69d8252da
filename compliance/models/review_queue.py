"""The review queue as the admin knows it; no table of its own."""

from settlements.models import MilestoneSettlement


class ReviewQueue(MilestoneSettlement):
    """The settlements that wait for a decision, so that the admin has a page for them."""

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name = "settlement to review"
        verbose_name_plural = "review queue"
