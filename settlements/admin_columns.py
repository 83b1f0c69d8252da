"""How the admin writes what settlements store as words: statuses in colours, the rest in words."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from rails.admin_columns import COLUMNS as COLUMNS_OF_RAILS
from rails.admin_columns import Columns, listed, tag, tags
from rails.admin_pages import ReadOnlyAdmin, ReadOnlyInline
from rails.wording import actor, in_words, yes_or_no
from settlements.models.guards import METHODS
from settlements.statuses import EVENT_WORDS, IntentStatus, Origin, ReleaseStrategy, RiskTier, SettlementStatus

LOOK_OF_STATUS: Final[Mapping[str, str]] = {
    SettlementStatus.PENDING: "cp-held",
    SettlementStatus.DELAYED: "cp-blue",
    SettlementStatus.RELEASING: "cp-blue",
    SettlementStatus.APPROVED: "cp-low",
    SettlementStatus.SETTLED: "cp-low",
    SettlementStatus.FAILED: "cp-alarm",
    SettlementStatus.RETURNED: "cp-alarm",
    SettlementStatus.REJECTED: "cp-high",
    IntentStatus.CANCELLED: "",
    "active": "cp-low",
    "locked": "cp-low",
}
LOOK_OF_TIER: Final[Mapping[str, str]] = {
    RiskTier.LOW: "cp-low",
    RiskTier.MEDIUM: "cp-medium",
    RiskTier.HIGH: "cp-high",
}
_LOOK_OF_DECISION: Final = {"APPROVE": "cp-low", "approve": "cp-low", "REJECT": "cp-high", "reject": "cp-high"}

_VOCABULARY: Final = (*EVENT_WORDS, *ReleaseStrategy, *SettlementStatus, *Origin, *METHODS)
_STORED: Final = re.compile(rf"\b(?:{'|'.join(_VOCABULARY)})\b")
_EVENT_WORD: Final = re.compile(rf"\b(?:{'|'.join(EVENT_WORDS)})\b")


def sentence(text: str) -> str:
    """An explanation with its event types in words, as it was decided otherwise."""
    return _EVENT_WORD.sub(lambda found: in_words(found[0]), text)


def recorded(values: Mapping[str, Any]) -> SafeString:
    """What an audit event holds, its stored words in words."""
    return listed(values, lambda value: _STORED.sub(lambda found: in_words(found[0]), value))


def rule(name: str) -> str:
    """A rule of the policy by its parts: `Matrix / High / POD confirmed`."""
    return " / ".join(in_words(part) for part in name.split("/"))


status = tags(LOOK_OF_STATUS)
tier = tags(LOOK_OF_TIER)

COLUMNS: Final[Columns] = {
    **COLUMNS_OF_RAILS,
    "status": status,
    "from_status": status,
    "to_status": status,
    "strategy": in_words,
    "event_type": in_words,
    "risk_tier": tier,
    "risk_category": in_words,
    "payment_method": in_words,
    "origin": in_words,
    "explanation": sentence,
    "rule": rule,
    "action": in_words,
    "type": in_words,
    "decision": tags(_LOOK_OF_DECISION),
    "data": recorded,
    "created_by_actor": actor,
    "triggered_by": actor,
    "approved_by": actor,
    "placed_by": actor,
    "lifted_by": actor,
    "active": lambda on: tag("Active" if on else "Inactive", "cp-low" if on else ""),
    "occurred_at_was_naive": lambda naive: f"{yes_or_no(naive)}{', read as UTC' if naive else ''}",
}


def in_lines(codes: Iterable[str]) -> SafeString:
    """Stored words in words, one to a line."""
    return format_html_join("", '<span class="cp-line">{}</span>', ((in_words(code),) for code in codes))


class SettlementsAdmin(ReadOnlyAdmin):
    """Rows of settlements, in their words."""

    columns = COLUMNS


class SettlementsInline(ReadOnlyInline):
    """Rows of settlements below the one they belong to, in their words."""

    columns = COLUMNS


class RelatedInline(SettlementsInline):
    """Rows below theirs, with what they point to read at once."""

    related: ClassVar[list[str]] = []

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = super().get_queryset(request)
        return found.select_related(*self.related) if self.related else found
