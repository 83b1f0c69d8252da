from rails.models.account import Account, AccountKind
from rails.models.attempt import AttemptState, RailAttempt
from rails.models.destination import Destination, DestinationState
from rails.models.journal import EntryKind, JournalEntry, Posting
from rails.models.method_rule import MethodRule
from rails.models.notice import RailNotice
from rails.models.recipient import Recipient, RecipientEdit
from rails.models.stripe import (
    StripeAccount,
    StripeEvent,
    StripeEventState,
    StripeInstallation,
    StripeListening,
    StripePayout,
    StripePayoutPart,
    StripePayoutStatus,
)
from rails.models.switch import RailSwitch
from rails.models.wire import WireAnswer, WireEntry, WireEvidence, WireFile, WireFileState, WireMessage, WireWord

__all__ = [
    "Account",
    "AccountKind",
    "AttemptState",
    "Destination",
    "DestinationState",
    "EntryKind",
    "JournalEntry",
    "MethodRule",
    "Posting",
    "RailAttempt",
    "RailNotice",
    "RailSwitch",
    "Recipient",
    "RecipientEdit",
    "StripeAccount",
    "StripeEvent",
    "StripeEventState",
    "StripeInstallation",
    "StripeListening",
    "StripePayout",
    "StripePayoutPart",
    "StripePayoutStatus",
    "WireAnswer",
    "WireEntry",
    "WireEvidence",
    "WireFile",
    "WireFileState",
    "WireMessage",
    "WireWord",
]
