"""The vocabulary: every status, strategy, event type and tier word, as stored; the API writes them in lower case."""

from enum import StrEnum


class SettlementStatus(StrEnum):
    """Where one milestone settlement stands (SPEC section 6)."""

    PENDING = "PENDING"
    DELAYED = "DELAYED"
    RELEASING = "RELEASING"
    APPROVED = "APPROVED"
    SETTLED = "SETTLED"
    FAILED = "FAILED"
    RETURNED = "RETURNED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"


class ReleaseStrategy(StrEnum):
    """The decision, from the loosest to the strictest."""

    IMMEDIATE = "IMMEDIATE"
    DELAYED = "DELAYED"
    MANUAL_REVIEW = "MANUAL_REVIEW"
    PENDING = "PENDING"

    @property
    def strictness(self) -> int:
        """0 for IMMEDIATE up to 3 for PENDING; a stored strategy never goes down."""
        return STRATEGIES_FROM_LOOSE_TO_STRICT.index(self)

    @property
    def needs_a_person(self) -> bool:
        """Whether nothing but complete approvals authorises the release."""
        return self in {ReleaseStrategy.MANUAL_REVIEW, ReleaseStrategy.PENDING}


STRATEGIES_FROM_LOOSE_TO_STRICT = tuple(ReleaseStrategy)


class RiskTier(StrEnum):
    """LOW < 0.33 <= MEDIUM < 0.67 <= HIGH."""

    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


class EventType(StrEnum):
    """The shipment events that can release money."""

    PICKUP_CONFIRMED = "PICKUP_CONFIRMED"
    POD_CONFIRMED = "POD_CONFIRMED"
    CLAIM_WINDOW_CLOSED = "CLAIM_WINDOW_CLOSED"


class StoredEventType(StrEnum):
    """ChainFreight's other events: stored and answered, without any payment."""

    CREATED = "CREATED"
    IN_TRANSIT = "IN_TRANSIT"
    AT_TERMINAL = "AT_TERMINAL"
    DELIVERY_ATTEMPTED = "DELIVERY_ATTEMPTED"


class IntentStatus(StrEnum):
    """Where a payment intent stands, derived from its settlements (SPEC section 3)."""

    PENDING = "PENDING"
    DELAYED = "DELAYED"
    APPROVED = "APPROVED"
    SETTLED = "SETTLED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"


class ScheduleType(StrEnum):
    """How the shares of an intent were chosen."""

    MILESTONE = "milestone"
    FULL_ON_POD = "full_on_pod"
    CUSTOM = "custom"


class Origin(StrEnum):
    """What brought a settlement into being."""

    EVENT = "EVENT"
    SETTLE = "SETTLE"


class Channel(StrEnum):
    """How a person's decision came to us. UNKNOWN is for decisions older than the question; no new one is."""

    ITEM = "ITEM"
    BULK = "BULK"
    API = "API"
    SETTLE = "SETTLE"
    UNKNOWN = "UNKNOWN"


class EventState(StrEnum):
    """What became of a stored shipment event; a DUPLICATE is one whose milestones another event had brought."""

    PROCESSED = "PROCESSED"
    DUPLICATE = "DUPLICATE"
    PARKED = "PARKED"
    WAITING = "WAITING"
    FAILED = "FAILED"


class News(StrEnum):
    """What subscribers are told, as it stands on the wire: one settlement's news, the queue's, or a test message."""

    CREATED = "settlement.created"
    DELAYED = "settlement.delayed"
    REVIEW_REQUIRED = "settlement.review_required"
    APPROVED = "settlement.approved"
    SETTLED = "settlement.settled"
    FAILED = "settlement.failed"
    RETURNED = "settlement.returned"
    REJECTED = "settlement.rejected"
    CANCELLED = "settlement.cancelled"
    REVIEW_DIGEST = "review.digest"
    PING = "ping"


class WorkKind(StrEnum):
    """What of the money at providers people have to look at, the gravest first; the last two are for information."""

    QUESTION = "QUESTION"
    CONTRADICTED = "CONTRADICTED"
    OVERPAID = "OVERPAID"
    KEPT = "KEPT"
    BACK_TWICE = "BACK_TWICE"
    RETURNED = "RETURNED"
    FAILED = "FAILED"
    PAYOUT_FAILED = "PAYOUT_FAILED"
    PARTLY_RETURNED = "PARTLY_RETURNED"
    UNANSWERED = "UNANSWERED"
    WAITING = "WAITING"


class BankWorkKind(StrEnum):
    """What of the banks' files, and of Stripe's events, people have to look at, the gravest first."""

    LOST = "LOST"
    INBOX = "INBOX"
    QUARANTINED = "QUARANTINED"
    ITEM = "ITEM"
    EVENT = "EVENT"


class MismatchKind(StrEnum):
    """How two of the four sides of a payment differ: settlement, attempt, journal, and provider or bank."""

    NO_SETTLEMENT = "NO_SETTLEMENT"
    NO_ATTEMPT = "NO_ATTEMPT"
    STATUS = "STATUS"
    AMOUNT = "AMOUNT"
    REFERENCE = "REFERENCE"
    BOOKED = "BOOKED"
    CLEARING = "CLEARING"
    OWED = "OWED"
    THEIRS_MISSING = "THEIRS_MISSING"
    OURS_MISSING = "OURS_MISSING"
    THEIR_AMOUNT = "THEIR_AMOUNT"
    THEIR_DESTINATION = "THEIR_DESTINATION"
    THEIR_REFERENCE = "THEIR_REFERENCE"
    THEIR_RETURN = "THEIR_RETURN"
    THEIR_WORD = "THEIR_WORD"
    IN_DOUBT = "IN_DOUBT"


class DeliveryState(StrEnum):
    """What became of one message to one subscriber."""

    WAITING = "WAITING"
    DELIVERED = "DELIVERED"
    PARKED = "PARKED"


LIVE_TOKEN_STATUSES = frozenset({"active", "locked"})

# What a provider refused or sent back: only people let it go out again.
WENT_OUT = frozenset({SettlementStatus.FAILED, SettlementStatus.RETURNED})

EVENT_WORDS: tuple[str, ...] = (*EventType, *StoredEventType)
# News of the platform as a whole: no carrier is told of it, and whoever wants it says so.
PLATFORM_NEWS: tuple[News, ...] = (News.REVIEW_DIGEST,)
SETTLEMENT_NEWS: tuple[News, ...] = tuple(news for news in News if news not in {*PLATFORM_NEWS, News.PING})
TO_SUBSCRIBE: tuple[News, ...] = (*SETTLEMENT_NEWS, *PLATFORM_NEWS)
