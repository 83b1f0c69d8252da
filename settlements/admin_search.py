"""What a search word in the admin means: exact keys that have an index, so that a list of a million stays quick."""

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from rails.models import JournalEntry, Recipient
from settlements.admin_columns import SettlementsAdmin
from settlements.models import MilestoneSettlement, PaymentIntent, Shipment

MOST_INTENTS = 1_000
_LARGEST_ID = 2**63 - 1


def number(word: str) -> int | None:
    """The word as an id, if it can be one."""
    is_id = word.isascii() and word.isdigit() and len(word) <= 19 and int(word) <= _LARGEST_ID
    return int(word) if is_id else None


def intents_meant(word: str) -> list[int]:
    """The newest intents of this shipment, recipient, settlement or payment reference, and the one of this number."""
    key = number(word)
    ids: set[int] = set() if key is None else {key}
    for condition in (
        Q(shipment_id__in=_ids(Shipment.objects.filter(shipment_id=word))),
        Q(recipient_id__in=_ids(Recipient.objects.filter(recipient_id=word))),
        Q(pk__in=_intents_of(word)),
    ):
        newest = PaymentIntent.objects.filter(condition).order_by("-pk")
        ids.update(newest.values_list("pk", flat=True)[:MOST_INTENTS])
    return sorted(ids)


def _ids(found: QuerySet[Any]) -> list[int]:
    return list(found.values_list("pk", flat=True)[:2])


def _intents_of(reference: str) -> list[int]:
    booked = JournalEntry.objects.filter(reference=reference).values_list("milestone_id", flat=True)[:1]
    return list(MilestoneSettlement.objects.filter(pk__in=list(booked)).values_list("intent_id", flat=True))


class ByIntent(SettlementsAdmin):
    """Rows found by their own number or by their intent's number, shipment, recipient or payment reference."""

    search_fields = ["pk"]
    search_help_text = "In full: a number, a shipment, a recipient's id or a payment reference"
    intent_column = "intent_id"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        word = search_term.strip().replace("\x00", "")
        if not word:
            return queryset, False
        key = number(word)
        own = Q() if key is None else Q(pk=key)
        return queryset.filter(own | Q(**{f"{self.intent_column}__in": intents_meant(word)})), False


class ByShipment(SettlementsAdmin):
    """Rows found by their own number or by their shipment, written in full."""

    search_fields = ["pk"]
    search_help_text = "In full: a number or a shipment"
    shipment_column = "shipment_id"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        word = search_term.strip().replace("\x00", "")
        if not word:
            return queryset, False
        key = number(word)
        own = Q() if key is None else Q(pk=key)
        shipments = _ids(Shipment.objects.filter(shipment_id=word))
        return queryset.filter(own | Q(**{f"{self.shipment_column}__in": shipments})), False
