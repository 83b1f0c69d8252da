"""What every anticipated refusal of the domain is: a stable code and a sentence, and nothing of HTTP."""

from enum import Enum, auto
from typing import ClassVar


class Kind(Enum):
    """Why something was refused; the interfaces translate it (HTTP: 400, 404, 409, 403)."""

    INVALID = auto()
    NOT_FOUND = auto()
    CONFLICT = auto()
    FORBIDDEN = auto()


class Refusal(Exception):
    """Base of the domain's refusals; a subclass fixes `code` (stable, snake_case) and `kind`."""

    code: ClassVar[str] = "refused"
    kind: ClassVar[Kind] = Kind.INVALID

    def __init__(self, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field
