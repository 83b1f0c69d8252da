"""What a caller may do: scope words of the API and the Django permission each one stands for."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Permission(StrEnum):
    """Codenames of the permissions that the models of `settlements` declare."""

    CREATE_INTENT = "create_intent"
    READ_INTENTS = "read_intents"
    SETTLE_INTENT = "settle_intent"
    COMPLETE_INTENT = "complete_intent"
    CANCEL_INTENT = "cancel_intent"
    WRITE_TOKENS = "write_tokens"
    READ_TOKENS = "read_tokens"
    WRITE_RECIPIENTS = "write_recipients"
    READ_RECIPIENTS = "read_recipients"
    POST_EVENTS = "post_events"
    READ_AUDIT = "read_audit"
    READ_QUEUE = "read_queue"
    DECIDE_SETTLEMENT = "decide_settlement"
    HOLD_SETTLEMENT = "hold_settlement"
    ASSIGN_SETTLEMENT = "assign_settlement"
    ANNOTATE_SETTLEMENT = "annotate_settlement"
    OVERSEE_DECISIONS = "oversee_decisions"
    MANAGE_INTEGRATIONS = "manage_integrations"
    CONFIRM_DESTINATION = "confirm_destination"
    MANAGE_RAILS = "manage_rails"
    HANDLE_BANK_FILES = "handle_bank_files"
    CONFIRM_WIRE = "confirm_wire"
    RESOLVE_PAYMENT = "resolve_payment"
    EXPORT_DATA = "export_data"
    CLOSE_DAY = "close_day"
    RESOLVE_DIFFERENCE = "resolve_difference"

    @property
    def full_name(self) -> str:
        """As `user.has_perm` wants it: "settlements.create_intent"."""
        return _FULL_NAMES[self]


_FULL_NAMES: Final[Mapping[Permission, str]] = {permission: f"settlements.{permission}" for permission in Permission}


class Scope(StrEnum):
    """What an endpoint demands, per method. PUBLIC demands nothing, not even credentials; ANYONE any valid ones."""

    PUBLIC = "public"
    ANYONE = "anyone"
    INTENTS_WRITE = "intents:write"
    INTENTS_READ = "intents:read"
    INTENTS_SETTLE = "intents:settle"
    INTENTS_COMPLETE = "intents:complete"
    INTENTS_CANCEL = "intents:cancel"
    TOKENS_WRITE = "tokens:write"
    TOKENS_READ = "tokens:read"
    RECIPIENTS_WRITE = "recipients:write"
    RECIPIENTS_READ = "recipients:read"
    EVENTS_WRITE = "events:write"
    AUDIT_READ = "audit:read"
    EXPORTS_READ = "exports:read"
    COMPLIANCE_READ = "compliance:read"
    COMPLIANCE_DECIDE = "compliance:decide"
    COMPLIANCE_HOLD = "compliance:hold"
    COMPLIANCE_ASSIGN = "compliance:assign"
    COMPLIANCE_NOTE = "compliance:note"


PERMISSION_OF_SCOPE: Final[Mapping[Scope, Permission]] = MappingProxyType(
    {
        Scope.INTENTS_WRITE: Permission.CREATE_INTENT,
        Scope.INTENTS_READ: Permission.READ_INTENTS,
        Scope.INTENTS_SETTLE: Permission.SETTLE_INTENT,
        Scope.INTENTS_COMPLETE: Permission.COMPLETE_INTENT,
        Scope.INTENTS_CANCEL: Permission.CANCEL_INTENT,
        Scope.TOKENS_WRITE: Permission.WRITE_TOKENS,
        Scope.TOKENS_READ: Permission.READ_TOKENS,
        Scope.RECIPIENTS_WRITE: Permission.WRITE_RECIPIENTS,
        Scope.RECIPIENTS_READ: Permission.READ_RECIPIENTS,
        Scope.EVENTS_WRITE: Permission.POST_EVENTS,
        Scope.AUDIT_READ: Permission.READ_AUDIT,
        Scope.EXPORTS_READ: Permission.EXPORT_DATA,
        Scope.COMPLIANCE_READ: Permission.READ_QUEUE,
        Scope.COMPLIANCE_DECIDE: Permission.DECIDE_SETTLEMENT,
        Scope.COMPLIANCE_HOLD: Permission.HOLD_SETTLEMENT,
        Scope.COMPLIANCE_ASSIGN: Permission.ASSIGN_SETTLEMENT,
        Scope.COMPLIANCE_NOTE: Permission.ANNOTATE_SETTLEMENT,
    }
)
ALL: Final = frozenset(PERMISSION_OF_SCOPE)

# Events come signed by their source, never by a key.
GRANTABLE: Final = ALL - {Scope.EVENTS_WRITE}
# What only a person may be given: their key then acts as they would (SPEC section 9).
PERSONAL: Final = frozenset(
    {Scope.COMPLIANCE_DECIDE, Scope.COMPLIANCE_HOLD, Scope.COMPLIANCE_ASSIGN, Scope.COMPLIANCE_NOTE}
)
# What a key of a carrier may be given: it reads what is about its own shipments, and writes nothing.
OF_A_CARRIER: Final = frozenset({Scope.INTENTS_READ, Scope.TOKENS_READ, Scope.AUDIT_READ})
# What an officer does to money that waits has their name to it: the keyless demo client has none.
DECISIONS: Final = PERSONAL
