"""How the bytes of a bank file are cut into records of 94 characters."""

import re
from typing import Final

from rails.ach.fields import RECORD_LENGTH
from rails.ach.records import Fault, NachaError

MAX_BYTES: Final = 64 * 1024 * 1024  # 700,000 records
_OUTSIDE: Final = re.compile(rb"[^\x20-\x7e]")
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")


def cut(content: bytes) -> tuple[list[str], list[Fault]]:
    """The lines, and what is wrong with them: their length, or a character that is not printable ASCII.

    Lines end in LF, CRLF or CR, in a file without any of them after 94 characters each. Empty lines at the very end
    are left out. A short line is not filled up and a long one not cut, not even by blanks: what somebody cut off might
    not have been blank. Raises NachaError for a file that has no lines or too many.
    """
    if not content.strip(b"\r\n"):
        raise NachaError((Fault(1, "the file is empty"),))
    if len(content) > MAX_BYTES:
        raise NachaError((Fault(1, f"the file is larger than {MAX_BYTES:,} bytes"),))
    pieces = _pieces(content)
    lines, faults = [], []
    for number, piece in enumerate(pieces, 1):
        if found := _OUTSIDE.search(piece):
            place, byte = found.start(), piece[found.start()]
            faults.append(Fault(number, f"position {place + 1} holds byte 0x{byte:02x}, which is not printable ASCII"))
        if len(piece) != RECORD_LENGTH:
            faults.append(Fault(number, f"the line has {len(piece)} characters instead of {RECORD_LENGTH}"))
        lines.append(piece.decode("latin-1"))
    return lines, faults


def _pieces(content: bytes) -> list[bytes]:
    body = content.rstrip(b"\r\n")
    if b"\n" in body or b"\r" in body or len(body) <= RECORD_LENGTH:
        return _LINE_END.split(body)
    return [body[start : start + RECORD_LENGTH] for start in range(0, len(body), RECORD_LENGTH)]
