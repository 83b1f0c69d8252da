"""Several sessions of the database that see one moment, each with the next check: two cores verify in half the time.

The first session exports its snapshot, the others take it over, so all compare the same rows while the system writes.
Sessions take checks from both ends of their list in turn: what Python hashes beside what PostgreSQL compares. Outcomes
are handed out in the order of the list, and so the first difference is the same as with one session.
"""

import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
from django.db import connection, transaction

from settlements.verification.differences import Difference

# For sorting and hashing a million rows without a file; each session has it a few times over.
_SETTINGS: Final = "SET LOCAL work_mem = '32MB'"
_CANCEL_SECONDS: Final = 5.0


class _Stopped(Exception):
    """Nobody waits for this job any more."""


# Where a job tells how far it is.
Say = Callable[[int], None]
Job = Callable[[Say], Any]


@dataclass(slots=True, kw_only=True)
class _Word:
    """What comes back from a session: how far the job at this place is, or how it ended."""

    place: int
    rows: int = 0
    ended: bool = False
    answer: Any = None
    trouble: BaseException | None = None


@dataclass(slots=True, kw_only=True)
class _Board:
    """What the sessions share: which jobs are left, what they said, and whose statements are to be stopped."""

    jobs: Sequence[Job]
    left: list[int]
    said: "queue.SimpleQueue[_Word]" = field(default_factory=queue.SimpleQueue)
    lock: threading.Lock = field(default_factory=threading.Lock)
    raw: list[psycopg.Connection[Any]] = field(default_factory=list)
    stopped: bool = False

    def take(self, *, last: bool) -> int | None:
        """The place of the next job, from the front or from the back; None when nothing is left."""
        with self.lock:
            return self.left.pop(-1 if last else 0) if self.left else None

    def drop_behind(self, place: int) -> None:
        """What stands behind a job that failed is not asked for any more."""
        with self.lock:
            self.left = [each for each in self.left if each < place]

    def stop(self) -> None:
        """No session takes another job, and those under way are cancelled."""
        self.stopped = True
        self.drop_behind(0)
        for raw in list(self.raw):
            with suppress(psycopg.Error):
                raw.cancel_safe(timeout=_CANCEL_SECONDS)


@contextmanager
def one_moment(beside: AbstractContextManager[None] | None = None) -> Iterator[None]:
    """A transaction that only reads, as of one moment; what is shown `beside` the tables is written and not kept."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        with beside or nullcontext():
            with connection.cursor() as cursor:
                if beside is None:
                    cursor.execute("SET TRANSACTION READ ONLY")
                cursor.execute(_SETTINGS)
            yield


def run(jobs: Sequence[Job], *, sessions: int, tell: Callable[[int, int], None]) -> Generator[Any]:
    """The answers of the jobs in their order; what one raises is raised in its place. Inside `one_moment`.

    `tell` hears in the caller's thread the place of a job and what that said last.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_export_snapshot()")
        snapshot: str = cursor.fetchone()[0]
    board = _Board(jobs=jobs, left=list(range(len(jobs))))
    threads = [
        threading.Thread(target=copy_context().run, args=(_session, board, snapshot, bool(number % 2)), daemon=True)
        for number in range(min(sessions, len(jobs)))
    ]
    for thread in threads:
        thread.start()
    try:
        yield from _in_order(board, tell)
    finally:
        board.stop()
        for thread in threads:
            thread.join()


def _in_order(board: _Board, tell: Callable[[int, int], None]) -> Iterator[Any]:
    ended: dict[int, _Word] = {}
    for place in range(len(board.jobs)):
        while place not in ended:
            word = board.said.get()
            if word.ended:
                ended[word.place] = word
            else:
                tell(word.place, word.rows)
        if (trouble := ended[place].trouble) is not None:
            raise trouble
        yield ended[place].answer


def _session(board: _Board, snapshot: str, last: bool) -> None:
    """In a thread of its own, and so on a connection of its own."""
    try:
        with one_moment():
            with connection.cursor() as cursor:
                cursor.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
            board.raw.append(connection.connection)
            while (place := board.take(last=last)) is not None:
                _do(board, place)
    except BaseException as trouble:  # noqa: BLE001 - it is raised where the answers are waited for
        # A session that can not go on leaves nobody waiting: what nobody has taken ends as it did.
        while (place := board.take(last=last)) is not None:
            board.said.put(_Word(place=place, ended=True, trouble=trouble))
    finally:
        connection.close()


def _do(board: _Board, place: int) -> None:
    """Raises what leaves the session's transaction unfit for another job; a difference does not."""

    def say(rows: int) -> None:
        if board.stopped:
            raise _Stopped
        board.said.put(_Word(place=place, rows=rows))

    try:
        answer = board.jobs[place](say)
    except BaseException as trouble:
        board.drop_behind(place)
        board.said.put(_Word(place=place, ended=True, trouble=trouble))
        if not isinstance(trouble, Difference):
            raise
    else:
        board.said.put(_Word(place=place, ended=True, answer=answer))
