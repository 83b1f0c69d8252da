"""The vocabularies as they stand on the wire, in lower case."""

from enum import StrEnum

from settlements.statuses import EventType, IntentStatus, RiskTier, StoredEventType

IntentStatusWord = StrEnum("IntentStatusWord", {each.name: each.value.lower() for each in IntentStatus})  # type: ignore[misc]
TierWord = StrEnum("TierWord", {each.name: each.value.lower() for each in RiskTier})  # type: ignore[misc]
# A ping asks whether anybody listens: an event type of the wire alone, that nothing below has heard of.
PING = "PING"
EventWord = StrEnum("EventWord", {**{each.name: each.value for each in (*EventType, *StoredEventType)}, PING: PING})  # type: ignore[misc]
