"""Why a person acted: everything they do to money names its reason, something that can be read."""

from typing import Final

from settlements import values
from settlements.refusals import Refusal

LONGEST: Final = 2_000


class ReasonRefused(Refusal):
    """What a person does to money needs a reason that can be read: some visible words, at most 2,000 characters."""

    code = "reason_refused"


def check(reason: str) -> None:
    """Raises ReasonRefused unless the reason says something."""
    try:
        values.visible_text(reason, longest=LONGEST, multiline=True)
    except values.InvalidValue as error:
        raise ReasonRefused(f"The reason {error.detail}.", field="reason") from error
