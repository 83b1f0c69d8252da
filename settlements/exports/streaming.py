"""An export on its way to a client: constant memory, one moment of the database, a record at both ends.

What ends before its end breaks the transfer: nobody is left with a part that looks like the whole.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import Error as DatabaseError

from settlements.exports import records
from settlements.exports.datasets import Asked, Dataset
from settlements.exports.pieces import Pieces
from settlements.exports.records import By, Incomplete, Overtaken
from settlements.exports.selections import Selection
from settlements.exports.severing import Severing
from settlements.exports.snapshot import Snapshot
from settlements.models.export import STREAM

logger = logging.getLogger(__name__)

# A client that takes nothing for so long, or is not done after so long, is disconnected: the moment of the database
# that its export holds open is dear to everybody else.
STALLED: Final = timedelta(seconds=60)
LONGEST: Final = timedelta(minutes=30)
_LOOK_SECONDS: Final = 5.0
_PROGRESS_SECONDS: Final = 5.0
# The last thing sent where the connection could not be broken: a quotation that never ends is no CSV.
BROKEN_OFF: Final = b'"THIS EXPORT BROKE OFF HERE. IT IS NOT COMPLETE.'

_under_way = 0
_counting = threading.Lock()


class ExportsBusy(Exception):
    """This process sends as many exports as it may; ask again shortly, or for a file."""


class TooSlow(Exception):
    """The client took nothing for too long, or is not done in time."""


class Stream:
    """The CSV in pieces, for a StreamingHttpResponse. Whoever makes one closes it, iterated or not.

    The last piece is handed out when the whole is on record.
    """

    def __init__(
        self,
        asked: Asked,
        dataset: Dataset,
        selection: Selection,
        *,
        key: str,
        by: By,
        severing: Severing,
        clock: Callable[[], datetime],
    ) -> None:
        """The export is on record, and its first piece is there. Raises ExportsBusy, and what the database raises."""
        self._dataset, self._selection, self._key = dataset, selection, key
        self._clock, self._severing = clock, severing
        self._told = time.monotonic()
        self._handed_out_at: float | None = None
        self._ended = threading.Event()
        self._overdue = threading.Event()
        self._snapshot: Snapshot | None = None
        self._pieces = Pieces(())
        _take_a_place()
        try:
            self.export = records.begin(asked, dataset, selection, by=by, delivery=STREAM, now=clock())
        except BaseException:
            self._release()
            raise
        try:
            self._snapshot = Snapshot.open(self.export.pk)
            self._pieces = Pieces(self._snapshot.lines(dataset, selection, key=key))
            self._iterator = iter(self._pieces)
            self._piece: bytes | None = self._fetch()
        except BaseException as trouble:
            self._end(f"It did not begin: {type(trouble).__name__}.")
            raise
        threading.Thread(target=self._look, args=(time.monotonic(),), daemon=True).start()

    def __iter__(self) -> "Stream":
        return self

    def __next__(self) -> bytes:
        self._handed_out_at = None
        piece = self._piece
        if piece is None:
            raise StopIteration
        if not self._ended.is_set():
            if self._overdue.is_set():
                return self._break(TooSlow())
            try:
                self._piece = self._fetch()
            except Exception as trouble:  # whatever it is: nobody may take a part for the whole
                logger.exception("Export %s broke off", self.export.pk)
                return self._break(trouble)
        else:
            self._piece = None
        self._handed_out_at = time.monotonic()
        return piece

    def close(self) -> None:
        """Called by the server in any case; before the end it means that the client is gone."""
        if not self._ended.is_set():
            self._end("The client did not take it to its end.")

    def _fetch(self) -> bytes | None:
        """The next piece; None when there is none, and then the whole is on record."""
        piece = next(self._iterator, None)
        if piece is None:
            self._complete()
        elif time.monotonic() - self._told > _PROGRESS_SECONDS:
            self._told = time.monotonic()
            records.progress(self.export.pk, rows=self._pieces.rows, count=self._pieces.bytes)
        return piece

    def _complete(self) -> None:
        """The figures of the same moment must say what was counted, and stand on record."""
        assert self._snapshot is not None
        figures = self._snapshot.figures(self._dataset, self._selection, key=self._key)
        if figures.rows != self._pieces.rows:
            raise Incomplete(f"{self._pieces.rows} lines of {figures.rows} rows")
        records.complete(self.export, self._pieces.sent, figures, now=self._clock())
        self._release()

    def _break(self, trouble: Exception) -> bytes:
        """Breaks the connection and raises; where that is impossible, the file is spoilt instead."""
        severed = self._severing.sever()
        self._piece = None
        self._end(f"It could not be brought to its end: {type(trouble).__name__}.")
        if severed:
            raise Incomplete(f"export {self.export.pk}") from trouble
        return BROKEN_OFF

    def _end(self, why: str) -> None:
        self._release()
        try:
            records.break_off(self.export, why, rows=self._pieces.rows, count=self._pieces.bytes, now=self._clock())
        except (DatabaseError, Overtaken):
            # Without a database nothing can be recorded now: the sweep finds that nobody makes it any more.
            logger.exception("Export %s broke off, and that is not on record yet: %s", self.export.pk, why)

    def _release(self) -> None:
        if not self._ended.is_set():
            self._ended.set()
            if self._snapshot is not None:
                self._snapshot.close()
            _leave()

    def _look(self, began: float) -> None:
        """Beside the transfer: breaks the connection of a client that stands still."""
        while not self._ended.wait(_LOOK_SECONDS):
            now, since = time.monotonic(), self._handed_out_at
            if now - began > LONGEST.total_seconds() or (since and now - since > STALLED.total_seconds()):
                logger.warning("Export %s: its client takes too long", self.export.pk)
                self._overdue.set()
                self._severing.sever()
                return


def _take_a_place() -> None:
    global _under_way
    with _counting:
        if _under_way >= settings.CHAINPAY_EXPORT_STREAMS:
            raise ExportsBusy
        _under_way += 1


def _leave() -> None:
    global _under_way
    with _counting:
        _under_way -= 1
