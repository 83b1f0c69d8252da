"""What every anticipated refusal of the domain is: a stable code and a sentence, and nothing of HTTP."""

import inspect
from collections.abc import Iterator
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


def sentence(refusal: type[Refusal]) -> str:
    """What a refusal tells whoever meets its code: the first line of its docstring."""
    return inspect.cleandoc(refusal.__doc__ or "").partition("\n")[0]


def known(base: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    """Every refusal that the modules imported so far can raise."""
    for refusal in base.__subclasses__():
        if "code" in vars(refusal):
            yield refusal
        yield from known(refusal)
