"""A row of each model of the back office's own, for tests of every page."""

from datetime import datetime

from django.db import transaction

from settlements import office_log
from settlements.office_log import OfficeAction, OfficeDraft


def office_rows(now: datetime) -> None:
    """One row or more of each."""
    with transaction.atomic():
        for subject in ("settlements", "audit"):
            data = {"rows": 2, "sha256": "0" * 64}
            draft = OfficeDraft(action=OfficeAction.EXPORTED, subject=subject, actor="user:finance1", data=data)
            office_log.record(draft, now=now)
