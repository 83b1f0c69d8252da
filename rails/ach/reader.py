"""How a NACHA file is read: whole, strictly, and with line and reason for all that is wrong in it.

Every class of entries is read, the ones that we never send included, for a bank's file may hold any. What each record
must hold is in `layouts`, what must fit together in `checks`. `read` ends for any bytes: with the file or NachaError.
"""

from collections.abc import Callable
from typing import Final

from rails.ach import checks, layouts, lines
from rails.ach.codes import STANDARD_ENTRY_CLASSES
from rails.ach.fields import RECORD_LENGTH, Layout
from rails.ach.records import Batch, Entry, Fault, NachaError, NachaFile, Record
from rails.ach.returns import CONTESTED, DISHONORED

MAX_FAULTS: Final = 100

_SEC: Final = slice(50, 53)  # both kinds of batch header have it there
_ADDENDA: Final = {"02": layouts.ADDENDA_02, "05": layouts.ADDENDA_05}
_ADDENDA_IAT: Final = {
    **dict.fromkeys(("10", "11", "12", "13", "14", "15", "16"), layouts.ADDENDA_IAT),
    **dict.fromkeys(("17", "18"), layouts.ADDENDA_IAT_COUNTED),
}


def read(content: bytes) -> NachaFile:
    """The file, every control total of it checked.

    Raises NachaError with what is wrong, in the order of the lines; of more than 100 faults the first ones.
    """
    texts, faults = lines.cut(content)
    reading = _Reading()
    for number, text in enumerate(texts, 1):
        reading.take(number, text.ljust(RECORD_LENGTH)[:RECORD_LENGTH], whole=len(text) == RECORD_LENGTH)
    reading.end(len(texts))
    faults += reading.faults
    faults += checks.check(reading.file, {fault.line for fault in faults})
    if faults:
        faults.sort(key=lambda fault: fault.line)
        raise NachaError(tuple(faults[:MAX_FAULTS]))
    return reading.file


class _Reading:
    """The file as far as it was read, and which record may follow."""

    def __init__(self) -> None:
        self.file = NachaFile()
        self.faults: list[Fault] = []
        self._batch: Batch | None = None
        self._whole = True
        self._take: dict[str, Callable[[int, str], None]] = {
            "1": self._file_header,
            "5": self._batch_header,
            "6": self._entry,
            "7": self._addenda,
            "8": self._batch_control,
            "9": self._file_control,
        }

    def take(self, number: int, text: str, *, whole: bool) -> None:
        """The next record; of one that is not `whole` only the kind is read, so that the next ones find their place."""
        self._whole = whole
        take = self._take.get(text[0])
        if take is None:
            self._wrong(number, "the line begins with no type of record")
        elif self.file.control is None:
            take(number, text)
        elif text.strip("9 ") or (whole and text != layouts.FILLER):
            self._wrong(number, "nothing but lines of nines may follow the file control")

    def end(self, count: int) -> None:
        """No record follows."""
        self.file.lines = count
        bare = self._is_bare()
        if self.file.header is None and not bare:
            self._wrong(1, "the file does not begin with a file header")
        if self._batch is not None and not bare:
            self._wrong(count, "the last batch has no batch control: the file ends too early")
        if self.file.control is None and not bare:
            self._wrong(count, "the file has no file control: it ends too early")

    def _is_bare(self) -> bool:
        """Some banks send returns and notifications as batches without any header of the file or control."""
        file = self.file
        controls = [file.header, file.control, *(batch.control for batch in file.batches)]
        entries = [entry for _, entry in file.entries()]
        return bool(entries) and not any(controls) and not any(entry.is_forward for entry in entries)

    def _wrong(self, number: int, reason: str) -> None:
        self.faults.append(Fault(number, reason))

    def _record(self, number: int, text: str, layout: Layout) -> Record:
        record = Record(number, text, layout)
        if self._whole:
            self.faults += record.faults()
        return record

    def _file_header(self, number: int, text: str) -> None:
        if self.file.header is not None:
            self._wrong(number, "the file has a second file header")
        elif number != 1:
            self._wrong(number, "the file header is not the first line")
        self.file.header = self._record(number, text, layouts.FILE_HEADER)

    def _batch_header(self, number: int, text: str) -> None:
        if self._batch is not None and self.file.header is not None:
            self._wrong(number, "the batch before has no batch control")
        sec = text[_SEC]
        if self._whole and sec not in STANDARD_ENTRY_CLASSES:
            self._wrong(number, "batch header: there is no such standard entry class (positions 51 to 53)")
        layout = layouts.BATCH_HEADER_IAT if sec == "IAT" else layouts.BATCH_HEADER
        self._batch = Batch(self._record(number, text, layout))
        self.file.batches.append(self._batch)

    def _entry(self, number: int, text: str) -> None:
        if self._batch is None:
            self._wrong(number, "the entry is outside of any batch")
            return
        layout = {"IAT": layouts.ENTRY_IAT, "ADV": layouts.ENTRY_ADV}.get(self._batch.sec, layouts.ENTRY)
        self._batch.entries.append(Entry(self._record(number, text, layout)))

    def _addenda(self, number: int, text: str) -> None:
        if self._batch is None or not self._batch.entries:
            self._wrong(number, "the addenda belongs to no entry")
            return
        layout = _addenda_layout(self._batch.sec, text)
        if layout is None:
            if self._whole:
                self._wrong(number, "there is no such addenda for this class of entries (positions 2 to 3)")
            return
        self._batch.entries[-1].addenda.append(self._record(number, text, layout))

    def _batch_control(self, number: int, text: str) -> None:
        if self._batch is None:
            self._wrong(number, "the batch control belongs to no batch")
            return
        layout = layouts.BATCH_CONTROL_ADV if self._batch.sec == "ADV" else layouts.BATCH_CONTROL
        self._batch.control = self._record(number, text, layout)
        self._batch = None

    def _file_control(self, number: int, text: str) -> None:
        if text == layouts.FILLER:
            self._wrong(number, "a line of nines stands before the file control")
            return
        advices = any(batch.sec == "ADV" for batch in self.file.batches)
        self.file.control = self._record(number, text, layouts.FILE_CONTROL_ADV if advices else layouts.FILE_CONTROL)


def _addenda_layout(sec: str, text: str) -> Layout | None:
    kind, code = text[1:3], text[3:6]
    if kind == "98":
        return layouts.ADDENDA_98_REFUSED if "C61" <= code <= "C69" else layouts.ADDENDA_98
    if kind == "99":
        if code in DISHONORED:
            return layouts.ADDENDA_99_DISHONORED
        return layouts.ADDENDA_99_CONTESTED if code in CONTESTED else layouts.ADDENDA_99
    return (_ADDENDA_IAT if sec == "IAT" else _ADDENDA).get(kind)
