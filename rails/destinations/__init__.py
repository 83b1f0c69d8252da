"""Where recipients are paid: the only writer of destinations.

A first destination is usable at once. A changed one waits for its quarantine to end and for another person to confirm
it, and while a change is open nothing is paid to the old one either (docs/adr/0036-changed-destinations.md).
"""

from rails.destinations.decisions import (
    AnotherPersonConfirms,
    DestinationGone,
    block,
    confirm,
    reject,
    unblock,
)
from rails.destinations.proposals import close, propose
from rails.destinations.pushing import push
from rails.destinations.reading import (
    RAILS,
    OnRail,
    Standing,
    account_number,
    by_account_number,
    by_rail,
    get,
    has_number,
    in_words,
    label,
    masked,
    obstacle,
    of_recipient,
    read,
    usable,
)
from rails.routing.details import DestinationRefused, Details

__all__ = [
    "RAILS",
    "AnotherPersonConfirms",
    "DestinationGone",
    "DestinationRefused",
    "Details",
    "OnRail",
    "Standing",
    "account_number",
    "block",
    "by_account_number",
    "by_rail",
    "close",
    "confirm",
    "get",
    "has_number",
    "in_words",
    "label",
    "masked",
    "obstacle",
    "of_recipient",
    "propose",
    "push",
    "read",
    "reject",
    "unblock",
    "usable",
]
