"""What became of an attempt to pay, in the words of people, with the colour for each."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from rails.models import AttemptState

ATTEMPT_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        AttemptState.PREPARED: "Not handed over yet",
        AttemptState.SUBMITTED: "Handed over, not answered",
        AttemptState.ACCEPTED: "Taken, on its way",
        AttemptState.REFUSED: "Refused",
        AttemptState.CONFIRMED: "Paid",
        AttemptState.RETURNED: "Came back",
    }
)
ATTEMPT_LOOKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        AttemptState.PREPARED: "cp-held",
        AttemptState.SUBMITTED: "cp-held",
        AttemptState.ACCEPTED: "cp-blue",
        AttemptState.REFUSED: "cp-alarm",
        AttemptState.CONFIRMED: "cp-low",
        AttemptState.RETURNED: "cp-alarm",
    }
)


def outcome_of(state: str) -> str:
    """Where an attempt in this state stands."""
    return ATTEMPT_WORDS[state]
