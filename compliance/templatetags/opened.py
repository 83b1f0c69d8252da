"""The form by which the page of a settlement tells that it has been visible."""

from typing import Any

from django import template

from compliance import openings
from compliance.reviews import Review

register = template.Library()


@register.inclusion_tag("admin/compliance/reviewqueue/opened.html", takes_context=True)
def tells_when_opened(context: template.RequestContext, review: Review) -> dict[str, Any]:
    """A hidden form with a ticket of this rendering, and the script that posts it once the page is visible."""
    user = context["request"].user
    milestone_id = review.settlement.pk
    ticket = openings.ticket(settlement_id=milestone_id, version=review.version, officer_id=user.pk)
    return {"milestone_id": milestone_id, "ticket": ticket}
