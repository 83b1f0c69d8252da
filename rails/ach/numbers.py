"""Numbers that a bank sees once: trace numbers, batch numbers, and the letter that tells a day's files apart."""

from datetime import date
from typing import Final

from django.db import DataError, connection, transaction

from rails.models import AchFile

MODIFIERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_NEXT: Final = "SELECT nextval(%s::regclass) FROM generate_series(1, %s::integer)"


class NumbersUsedUp(RuntimeError):
    """The format has no further number of this kind: nothing can be sent until a person has seen to it."""


def next_file_id() -> int:
    """The row number of a new file, which makes its name."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('rails_achfile', 'id'))")
        return int(cursor.fetchone()[0])


def trace_numbers(odfi: str, count: int) -> list[str]:
    """That many new trace numbers, ascending: the first eight digits of our bank, and seven that count.

    Drawn from a sequence, so that no crash gives one twice; what is drawn and not used is lost. Raises NumbersUsedUp.
    """
    return [f"{odfi[:8]}{number:07}" for number in _draw("rails_ach_trace_number", count)]


def batch_numbers(count: int) -> list[int]:
    """That many new batch numbers, ascending."""
    return _draw("rails_ach_batch_number", count)


def _draw(sequence: str, count: int) -> list[int]:
    """Raises NumbersUsedUp at the end of the sequence: it does not begin anew."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_NEXT, [sequence, count])
            return sorted(number for (number,) in cursor.fetchall())
    except DataError as error:
        raise NumbersUsedUp(f"{sequence} has no further number (docs/runbook.md)") from error


def next_modifier(day: date) -> str:
    """The first letter or digit that no file of this creation date has. Raises NumbersUsedUp after 36 files."""
    used = set(AchFile.objects.filter(creation_date=day).values_list("id_modifier", flat=True))
    for modifier in MODIFIERS:
        if modifier not in used:
            return modifier
    raise NumbersUsedUp(f"all {len(MODIFIERS)} file id modifiers of {day} are used up")
