"""What a log line looks like: JSON for machines, a line for people; neither shows a secret or an account number.

Every line has the request's id, or in a worker the task's. The number of a shipment event or a milestone settlement
that a message names is a field of its own, so that one can be followed from the webhook to the worker.
"""

import logging
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from settlements import redaction

REQUESTS: Final = "chainpay.requests"
_NUMBERS: Final = re.compile(
    r"\b(?:(?P<event_id>[Ss]hipment event|event_id=)|(?P<milestone_id>milestone settlement|milestone_id=|milestone=))"
    r" ?(?P<number>[0-9]{1,18})\b",
    re.ASCII,
)
_NAMED: Final = ("hipment event", "event_id=", "milestone")  # one of them is in whatever that finds
# What our own code attaches to a record for the machine to read.
_FIELDS: Final = ("method", "route", "status", "milliseconds", "event_id")


class Redacting(logging.Formatter):
    """What others said comes with warnings, errors and tracebacks: there account numbers go, keys go everywhere."""

    def formatException(self, ei: Any) -> str:
        return redaction.text(redaction.rows(super().formatException(ei)))

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = message_of(record)
        return super().formatMessage(record)


class Json(Redacting):
    """One JSON object to a line, times in UTC."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": message_of(record),
            "request_id": getattr(record, "request_id", "-"),
        }
        for found in _numbers(record):
            line.setdefault("event_id" if found["event_id"] else "milestone_id", int(found["number"]))
        for name in _FIELDS:
            if name in record.__dict__:
                line[name] = record.__dict__[name]
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["traceback"] = self.formatException(record.exc_info)
        try:
            return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
        except orjson.JSONEncodeError:  # half a character, or a number of more than 64 bits
            return orjson.dumps({name: _whole(value) for name, value in line.items()}).decode()


def message_of(record: logging.LogRecord) -> str:
    """The words of a record, without what must not be shown."""
    words = record.getMessage()
    return redaction.text(redaction.rows(words)) if record.levelno >= logging.WARNING else redaction.keys(words)


def _numbers(record: logging.LogRecord) -> Iterable[re.Match[str]]:
    words = record.getMessage()
    named = any(name in words for name in _NAMED) and not _of_others(record)
    return _NUMBERS.finditer(words) if named else ()


def _of_others(record: logging.LogRecord) -> bool:
    """Whether its words hold what strangers wrote, as Django's do the address that was asked for."""
    return record.name.partition(".")[0] == "django"


def _whole(value: object) -> str:
    """The words of a value, a question mark for each character that is none."""
    return str(value).encode(errors="replace").decode()


class Refusals(logging.Filter):
    """A request that is refused (400, 403, 404) is told in one line: its traceback tells of no fault of ours.

    Django logs a foreign Host and the like as errors; anybody can cause those, so they are warnings here.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Keeps every record, and the traceback of errors alone."""
        if record.name.startswith("django.security"):
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        if record.name.startswith(("django.request", "django.security")) and record.levelno < logging.ERROR:
            record.exc_info = record.exc_text = None
        return True
