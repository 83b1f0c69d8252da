from rails.models.account import Account, AccountKind
from rails.models.ach import (
    AchEntry,
    AchEntryKind,
    AchFate,
    AchFile,
    AchFilePurpose,
    AchFileState,
    AchOutcome,
)
from rails.models.ach_inbound import AchInboundFile, AchInboundItem, AchItemKind, AchItemStanding
from rails.models.ach_reversal import AchReversal, ReversalReason
from rails.models.attempt import AttemptState, RailAttempt
from rails.models.bank_inbox import BankFileDealing, InboxTrouble
from rails.models.closed_day import ClosedDay
from rails.models.destination import Destination, DestinationState
from rails.models.file_verdict import FileVerdict, Verdict
from rails.models.journal import EntryKind, JournalEntry, Posting
from rails.models.method_rule import MethodRule
from rails.models.notice import RailNotice
from rails.models.recipient import Recipient, RecipientEdit
from rails.models.reconciliation import DifferenceKind, RailDifference, RailReconciliation
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
from rails.models.stripe_decision import StripeEventDecision
from rails.models.switch import RailSwitch
from rails.models.wire import WireAnswer, WireEntry, WireEvidence, WireFile, WireFileState, WireMessage, WireWord

__all__ = [
    "Account",
    "AccountKind",
    "AchEntry",
    "AchEntryKind",
    "AchFate",
    "AchFile",
    "AchFilePurpose",
    "AchFileState",
    "AchInboundFile",
    "AchInboundItem",
    "AchItemKind",
    "AchItemStanding",
    "AchOutcome",
    "AchReversal",
    "AttemptState",
    "BankFileDealing",
    "ClosedDay",
    "Destination",
    "DestinationState",
    "DifferenceKind",
    "EntryKind",
    "FileVerdict",
    "InboxTrouble",
    "JournalEntry",
    "MethodRule",
    "Posting",
    "RailAttempt",
    "RailDifference",
    "RailNotice",
    "RailReconciliation",
    "RailSwitch",
    "Recipient",
    "RecipientEdit",
    "ReversalReason",
    "StripeAccount",
    "StripeEvent",
    "StripeEventDecision",
    "StripeEventState",
    "StripeInstallation",
    "StripeListening",
    "StripePayout",
    "StripePayoutPart",
    "StripePayoutStatus",
    "Verdict",
    "WireAnswer",
    "WireEntry",
    "WireEvidence",
    "WireFile",
    "WireFileState",
    "WireMessage",
    "WireWord",
]
