"""Where an officer goes on: the next settlement of the queue that they have not approved yet."""

from typing import Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils import timezone

from compliance import queries
from compliance.pages import require
from settlements.permissions import Permission

# So far down the queue one looks; whoever is further down begins again at its top.
_LOOKED_THROUGH: Final = 200


def next_view(request: HttpRequest, milestone_id: int) -> HttpResponseRedirect | HttpResponse:
    """Leads on from a settlement to the one behind it in the queue, and from the last to the first."""
    require(request, Permission.READ_QUEUE)
    _, items = queries.queue(skip=0, limit=_LOOKED_THROUGH, now=timezone.now())
    own = queries.approved_by(request.user.pk, items)
    ids = [item.milestone_id for item in items]
    place = ids.index(milestone_id) + 1 if milestone_id in ids else 0
    ahead = [each for each in ids[place:] + ids[:place] if each not in own and each != milestone_id]
    if not ahead:
        messages.info(request, "Nothing else waits for you.")
        return redirect("admin:compliance_reviewqueue_changelist")
    return redirect("admin:compliance_reviewqueue_review", ahead[0])
