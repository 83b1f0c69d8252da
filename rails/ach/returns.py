"""What each return reason code says, until when it is timely, and what we may do next.

Nacha Operating Rules, Appendix Four (Return Entries). A table. Most codes are of debits; we send credits, but a bank's
file may hold any, and a dishonored or contested return is news of a return that we know.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Days(StrEnum):
    """How a deadline is counted, from the settlement date of what is returned."""

    BANKING = "banking days"
    CALENDAR = "calendar days"
    NEXT_FILE = "the next file delivery time"
    NONE = "no deadline"


@dataclass(frozen=True, slots=True)
class Deadline:
    """Until when a return is timely."""

    count: int
    days: Days

    def __str__(self) -> str:
        return f"{self.count} {self.days}" if self.count else str(self.days)


class FollowUp(StrEnum):
    """What we may do after a return; the value is the sentence a person reads."""

    RETRY = "The account is right. It may be paid again by a new attempt."
    CORRECT_OURS = "Our entry was at fault, not the account. Have the fault mended, then pay again by a new attempt."
    FIX_DESTINATION = "The account details are wrong. Get new ones from the recipient before it is paid again."
    STOP_DESTINATION = "Stop paying to this account. Only another account may be paid again."
    ASK_RECIPIENT = "The recipient or its bank does not want it. Speak to the recipient before anything is paid again."
    NEVER_AGAIN = "Never pay this again: the bank says that it was there twice. Compare with what was paid."
    ASK_BANK = "Only our bank knows why. Speak to it before anything is paid again."
    DISPUTED = (
        "Our bank does not accept the return, so the money may stay with the recipient. Pay nothing; wait for it."
    )
    RETURN_STANDS = "The recipient's bank insists on its return. Speak to our bank; a person decides."
    NOT_OURS = "Goes with entries that we never send. Speak to our bank."

    @property
    def may_pay_again(self) -> bool:
        """Whether a new attempt to the same account makes sense."""
        return self in {FollowUp.RETRY, FollowUp.CORRECT_OURS}

    @property
    def stops_destination(self) -> bool:
        """Whether the account must not be used again as it is."""
        return self in {FollowUp.FIX_DESTINATION, FollowUp.STOP_DESTINATION}


class Stage(StrEnum):
    """Who answers whom."""

    RETURN = "return"
    DISHONORED = "dishonored return"
    CONTESTED = "contested dishonored return"


@dataclass(frozen=True, slots=True)
class ReturnReason:
    """One code of the table."""

    code: str
    title: str
    deadline: Deadline
    follow_up: FollowUp
    stage: Stage = Stage.RETURN

    def __str__(self) -> str:
        return f"{self.code} {self.title}"


_TWO: Final = Deadline(2, Days.BANKING)
_FIVE: Final = Deadline(5, Days.BANKING)
_SIXTY: Final = Deadline(60, Days.CALENDAR)
_NEXT: Final = Deadline(0, Days.NEXT_FILE)
_OPEN: Final = Deadline(0, Days.NONE)
_F = FollowUp

_TABLE: Final = (
    ("R01", "Insufficient funds", _TWO, _F.RETRY),
    ("R02", "Account closed", _TWO, _F.STOP_DESTINATION),
    ("R03", "No account or unable to locate account", _TWO, _F.FIX_DESTINATION),
    ("R04", "Invalid account number", _TWO, _F.FIX_DESTINATION),
    ("R05", "Unauthorized debit to a consumer account by a corporate class", _SIXTY, _F.NOT_OURS),
    ("R06", "Returned at the request of our bank", _OPEN, _F.ASK_BANK),
    ("R07", "Authorization revoked by the customer", _SIXTY, _F.NOT_OURS),
    ("R08", "Payment stopped", _TWO, _F.NOT_OURS),
    ("R09", "Uncollected funds", _TWO, _F.RETRY),
    ("R10", "Customer says that the originator is not known or not authorized", _SIXTY, _F.ASK_RECIPIENT),
    ("R11", "Customer says that the entry is not as authorized", _SIXTY, _F.ASK_RECIPIENT),
    ("R12", "Account sold to another bank", _TWO, _F.FIX_DESTINATION),
    ("R13", "Invalid ACH routing number", _NEXT, _F.FIX_DESTINATION),
    ("R14", "Representative payee deceased or unable to continue", _TWO, _F.STOP_DESTINATION),
    ("R15", "Beneficiary or account holder deceased", _TWO, _F.STOP_DESTINATION),
    ("R16", "Account frozen, or returned on instruction of OFAC", _TWO, _F.STOP_DESTINATION),
    ("R17", "File record edit criteria, or suspect account details", _TWO, _F.FIX_DESTINATION),
    ("R18", "Improper effective entry date", _NEXT, _F.CORRECT_OURS),
    ("R19", "Amount field error", _NEXT, _F.CORRECT_OURS),
    ("R20", "Not a transaction account", _TWO, _F.STOP_DESTINATION),
    ("R21", "Invalid company identification", _TWO, _F.CORRECT_OURS),
    ("R22", "Invalid individual ID number", _TWO, _F.CORRECT_OURS),
    ("R23", "Credit refused by the receiver", _TWO, _F.ASK_RECIPIENT),
    ("R24", "Duplicate entry", _TWO, _F.NEVER_AGAIN),
    ("R25", "Addenda error", _NEXT, _F.CORRECT_OURS),
    ("R26", "Mandatory field error", _NEXT, _F.CORRECT_OURS),
    ("R27", "Trace number error", _NEXT, _F.CORRECT_OURS),
    ("R28", "Routing number check digit error", _NEXT, _F.FIX_DESTINATION),
    ("R29", "Corporate customer says not authorized", _TWO, _F.ASK_RECIPIENT),
    ("R30", "Bank does not take part in check truncation", _NEXT, _F.NOT_OURS),
    ("R31", "Permissible return of a corporate entry", _OPEN, _F.ASK_BANK),
    ("R32", "Bank can not settle", _NEXT, _F.ASK_BANK),
    ("R33", "Return of a destroyed check entry", _SIXTY, _F.NOT_OURS),
    ("R34", "Bank with limited participation", _NEXT, _F.STOP_DESTINATION),
    ("R35", "Return of an improper debit", _NEXT, _F.NOT_OURS),
    ("R36", "Return of an improper credit", _NEXT, _F.CORRECT_OURS),
    ("R37", "Source document presented for payment", _SIXTY, _F.NOT_OURS),
    ("R38", "Stop payment on the source document", _SIXTY, _F.NOT_OURS),
    ("R39", "Improper source document", _TWO, _F.NOT_OURS),
    ("R40", "Return of an enrollment by a federal agency", _OPEN, _F.NOT_OURS),
    ("R41", "Invalid transaction code of an enrollment", _OPEN, _F.NOT_OURS),
    ("R42", "Routing number or check digit error of an enrollment", _OPEN, _F.NOT_OURS),
    ("R43", "Invalid account number of an enrollment", _OPEN, _F.NOT_OURS),
    ("R44", "Invalid individual ID number of an enrollment", _OPEN, _F.NOT_OURS),
    ("R45", "Invalid name in an enrollment", _OPEN, _F.NOT_OURS),
    ("R46", "Invalid representative payee indicator of an enrollment", _OPEN, _F.NOT_OURS),
    ("R47", "Duplicate enrollment", _OPEN, _F.NOT_OURS),
    ("R50", "State law affecting represented checks", _TWO, _F.NOT_OURS),
    ("R51", "Item of a represented check is ineligible", _SIXTY, _F.NOT_OURS),
    ("R52", "Stop payment on the item of a represented check", _SIXTY, _F.NOT_OURS),
    ("R53", "Item and represented check presented for payment", _SIXTY, _F.NOT_OURS),
    ("R80", "IAT coding error", _NEXT, _F.NOT_OURS),
    ("R81", "Bank does not take part in IAT", _NEXT, _F.NOT_OURS),
    ("R82", "Invalid foreign receiving bank", _NEXT, _F.NOT_OURS),
    ("R83", "Foreign receiving bank can not settle", _NEXT, _F.NOT_OURS),
    ("R84", "Entry not processed by the gateway", _NEXT, _F.NOT_OURS),
    ("R85", "Outbound international payment coded wrongly", _NEXT, _F.CORRECT_OURS),
)
# By our bank against a return, and by the recipient's bank against that.
_DISHONORED: Final = (
    ("R61", "Misrouted return"),
    ("R62", "Return of an erroneous or reversing debit"),
    ("R67", "Duplicate return"),
    ("R68", "Untimely return"),
    ("R69", "Field errors in the return"),
    ("R70", "Permissible return not accepted, or return not requested by our bank"),
)
_CONTESTED: Final = (
    ("R71", "Misrouted dishonored return"),
    ("R72", "Untimely dishonored return"),
    ("R73", "The original return was timely"),
    ("R74", "Corrected return"),
    ("R75", "The return was no duplicate"),
    ("R76", "No errors found in the return"),
    ("R77", "Dishonor for an erroneous or reversing debit not accepted"),
)

RETURNS: Final[Mapping[str, ReturnReason]] = MappingProxyType(
    {code: ReturnReason(code, title, deadline, follow_up) for code, title, deadline, follow_up in _TABLE}
    | {code: ReturnReason(code, title, _FIVE, _F.DISPUTED, Stage.DISHONORED) for code, title in _DISHONORED}
    | {code: ReturnReason(code, title, _TWO, _F.RETURN_STANDS, Stage.CONTESTED) for code, title in _CONTESTED}
)
# The last day of any return with a deadline: of a debit that a consumer says was not authorized. A reversing entry is a
# debit, and the class of an entry does not tell whose account it meets (R05).
LONGEST_DEADLINE: Final = _SIXTY
DISHONORED: Final = frozenset(code for code, _ in _DISHONORED)
CONTESTED: Final = frozenset(code for code, _ in _CONTESTED)
