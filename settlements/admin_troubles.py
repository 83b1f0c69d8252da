"""Which releases stand still: a filter of the list of settlements, read from the indexes that the sweep has."""

from datetime import timedelta
from typing import Any, Final

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from settlements.models.settlement import WAITS_FOR_THE_SWEEP
from settlements.statuses import SettlementStatus

# How long a provider's answer may take before somebody should look.
RELEASING_TOO_LONG: Final = timedelta(hours=1)


class ByTrouble(admin.SimpleListFilter):
    """Authorised releases that may not go, and those whose provider has not answered for long."""

    title = "trouble"
    parameter_name = "trouble"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("blocked", "blocked"), ("releasing", "releasing for over an hour")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "blocked":
            # In the words of the partial index, which is found by nothing else.
            return queryset.filter(WAITS_FOR_THE_SWEEP & ~Q(blocked_reason=""))
        if self.value() == "releasing":
            too_long_ago = timezone.now() - RELEASING_TOO_LONG
            return queryset.filter(status=SettlementStatus.RELEASING, updated_at__lt=too_long_ago)
        return queryset
