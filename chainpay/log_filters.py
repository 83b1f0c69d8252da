"""What of a log record is worth keeping."""

import logging


class RefusalsWithoutTraceback(logging.Filter):
    """A request that is refused (403, 404, 400) is told in one line: its traceback tells of no fault of ours."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keeps every record, and the traceback of errors alone."""
        if record.levelno < logging.ERROR:
            record.exc_info = record.exc_text = None
        return True
