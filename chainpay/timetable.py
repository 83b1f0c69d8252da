"""The clock that Celery's beat goes by: a file that remembers the future is not believed."""

import logging
from typing import Any

from celery.beat import PersistentScheduler

logger = logging.getLogger(__name__)


class Timetable(PersistentScheduler):  # type: ignore[misc]
    """Wake-ups with their last times in a file, as Celery keeps them.

    A host whose clock was ahead leaves last times there that are still to come. Once its clock is right, Celery would
    wake nobody until then; here such a wake-up counts as sent now.
    """

    def setup_schedule(self) -> None:
        """Reads the file, and brings back what lies in the future."""
        super().setup_schedule()
        now = self.app.now()
        ahead: list[Any] = [entry for entry in self.schedule.values() if entry.last_run_at > now]
        for entry in ahead:
            entry.last_run_at = now
        if ahead:
            logger.error(
                "Beat remembers %s wake-ups of the future, of a clock that was ahead; they count anew", len(ahead)
            )
            self.sync()
