"""The inbox in the admin: every message with what became of it; dry runs, and processing again by confirmation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import BooleanField, Count, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from rails.admin_pages import amount, words
from rails.wording import in_words
from settlements import redaction, rehearsal, reprocessing
from settlements.admin_columns import SettlementsAdmin, SettlementsInline, status
from settlements.admin_inbox_columns import (
    OUTCOMES,
    body,
    body_as_received,
    body_hash_in_hex,
    brought,
    error,
    event_type,
    outcome,
    outcome_and_error,
    received,
    shipment,
    told_to_sender,
)
from settlements.admin_search import number
from settlements.lifecycle import NewSettlement
from settlements.models import EventSource, MilestoneSettlement, Shipment, ShipmentEvent
from settlements.permissions import Permission
from settlements.rehearsal import Rehearsal
from settlements.reprocessing import Outcome
from settlements.statuses import EVENT_WORDS, EventState

MOST_AT_ONCE = 100
# How a message id begins, by where the id came from (`settlements.api.events`).
_ID_KINDS = ("", "webhook-id:", "event_id:", "body:")
_EXTRAORDINARY = RawSQL("settlements_shipmentevent.state <> 'PROCESSED'", [], output_field=BooleanField())


class ByOutcome(admin.SimpleListFilter):
    """What is out of the ordinary; an index holds just these."""

    title = "outcome"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state.value, word) for state, (word, _) in OUTCOMES.items() if state is not EventState.PROCESSED]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        known = self.value() in {state for state, _ in self.lookup_choices}
        # The index is found by its own words alone: what is a parameter says nothing to a plan made for all values.
        return queryset.filter(_EXTRAORDINARY, state=self.value()) if known else queryset


class InboxList(ChangeList):
    """A page of messages, with the number of settlements that each has brought."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows = list(self.result_list)
        settlements = MilestoneSettlement.objects.filter(event__in=[row.pk for row in rows]).order_by()
        numbers = dict(settlements.values_list("event").annotate(Count("pk")))
        for row in rows:
            row.brought = numbers.get(row.pk, 0)
        self.result_list = rows


class SettlementsOfEvent(SettlementsInline):
    model = MilestoneSettlement
    verbose_name_plural = "settlements it has brought"
    fields: ClassVar[Any] = ["intent_id", amount, "status", "explanation"]
    readonly_fields = fields
    ordering = ["pk"]


@dataclass(frozen=True, slots=True)
class Line:
    """A settlement that would be created, in words."""

    new: NewSettlement

    @property
    def amount(self) -> str:
        """As lists write it."""
        return f"{self.new.amount.major:,} {self.new.amount.currency}"

    @property
    def event_type(self) -> str:
        """The event that it answers."""
        return in_words(self.new.event_type)

    @property
    def status(self) -> SafeString:
        """Where it would stand, in its colour."""
        return status(self.new.status)

    @property
    def rail(self) -> str:
        """Who would move the money."""
        return in_words(self.new.rail)


@dataclass(frozen=True, slots=True)
class Planned:
    """A message and what processing it again would create."""

    event: ShipmentEvent
    rehearsal: Rehearsal

    @property
    def lines(self) -> list[Line]:
        """Each settlement as the admin writes it."""
        return [Line(new) for new in self.rehearsal.would_create]


@dataclass(frozen=True, slots=True)
class Done:
    """A message and what processing it again came to."""

    event: ShipmentEvent
    outcome: Outcome
    state: SafeString

    @property
    def in_words(self) -> str:
        """What happened; an error without secrets."""
        return redaction.text(self.outcome.in_words)


@admin.register(ShipmentEvent)
class ShipmentEventAdmin(SettlementsAdmin):
    """Lists and rows to read; what can be done with them starts from pages below that change nothing on GET."""

    called = "Inbox"

    list_display = [
        "id", received, shipment, event_type, outcome_and_error, brought,
    ]  # fmt: skip
    list_filter = [ByOutcome, "source", words("event_type", EVENT_WORDS), "received_at"]
    list_select_related = ["shipment", "source"]
    search_fields = ["pk"]
    search_help_text = "In full: a number, a shipment, or a message's id"
    sortable_by = ["id"]
    ordering = ["-pk"]
    actions = ["process_again", "dry_run"]
    fieldsets: ClassVar[Any] = [
        (None, {"fields": ["id", outcome, "shipment", "event_type", "occurred_at", "occurred_at_was_naive"]}),
        ("Received", {"fields": ["received_at", "source", "received_from", "message_id", body_hash_in_hex]}),
        ("Processing", {"fields": ["processed_at", told_to_sender, "sweeps", error]}),
        ("Message", {"fields": [body, body_as_received]}),
    ]
    readonly_fields: ClassVar[Any] = [name for _, options in fieldsets for name in options["fields"]]
    inlines = [SettlementsOfEvent]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return InboxList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        word = search_term.strip().replace("\x00", "")
        if not word:
            return queryset, False
        key = number(word)
        ids = [] if key is None else [key]
        # By source and id, for that is what the index holds.
        spellings = [f"{kind}{word}" for kind in _ID_KINDS]
        sources = EventSource.objects.values("pk")
        known = ShipmentEvent.objects.filter(source__in=sources, message_id__in=spellings).values_list("pk", flat=True)
        ids += known[:MOST_AT_ONCE]
        shipments = list(Shipment.objects.filter(shipment_id=word).values_list("pk", flat=True))
        return queryset.filter(Q(pk__in=ids) | Q(shipment_id__in=shipments)), False

    def has_post_permission(self, request: HttpRequest) -> bool:
        """Whether this person may process messages again."""
        return request.user.has_perm(Permission.POST_EVENTS.full_name)

    @admin.action(description="Process again", permissions=["post"])
    def process_again(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        return self._ask(request, queryset, "process_again")

    @admin.action(description="Dry run", permissions=["view"])
    def dry_run(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        return self._ask(request, queryset, "dry_run")

    def _ask(self, request: HttpRequest, queryset: QuerySet[Any], page: str) -> HttpResponse | None:
        chosen = list(queryset.values_list("pk", flat=True)[: MOST_AT_ONCE + 1])
        if len(chosen) > MOST_AT_ONCE:
            self.message_user(request, f"Choose at most {MOST_AT_ONCE} messages at once.", messages.ERROR)
            return None
        return HttpResponseRedirect(_address(page, chosen))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("process_again/", view(self.process_again_view), name="settlements_shipmentevent_process_again"),
            path("dry_run/", view(self.dry_run_view), name="settlements_shipmentevent_dry_run"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        more = {"may_process": self.has_post_permission(request)}
        return super().change_view(request, object_id, form_url, {**more, **(extra_context or {})})

    def dry_run_view(self, request: HttpRequest) -> HttpResponse:
        """What processing these messages again would create; reads only."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return self._plan(request, _chosen(request.GET), "Dry run")

    def process_again_view(self, request: HttpRequest) -> HttpResponse:
        """GET: what would be created, and a button. POST: it is, message by message."""
        if not (self.has_view_permission(request) and self.has_post_permission(request)):
            raise PermissionDenied
        if request.method != "POST":
            return self._plan(request, _chosen(request.GET), "Process again", confirming=True)
        events = _chosen(request.POST)
        actor, now = f"user:{request.user.get_username()}", timezone.now()
        outcomes = [reprocessing.process_again(event.pk, actor=actor, now=now) for event in events]
        states = {event.pk: outcome(event) for event in _chosen(request.POST)}
        done = [Done(event, each, states[event.pk]) for event, each in zip(events, outcomes, strict=True)]
        return self._page(request, "done.html", {"title": "Processed again", "done": done})

    def _plan(
        self, request: HttpRequest, events: Sequence[ShipmentEvent], title: str, *, confirming: bool = False
    ) -> HttpResponse:
        planned = [Planned(event, rehearsal.of_event(event.pk)) for event in events]
        context = {
            "title": title if len(planned) > 1 else f"{title}: {planned[0].event}",
            "planned": planned,
            "number": sum(len(each.rehearsal.would_create) for each in planned),
            "confirming": confirming,
            "may_process": self.has_post_permission(request),
        }
        return self._page(request, "plan.html", context)

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        everywhere = {**self.admin_site.each_context(request), "opts": self.model._meta}
        return TemplateResponse(request, f"admin/settlements/shipmentevent/{template}", {**everywhere, **context})


def _chosen(given: QueryDict) -> list[ShipmentEvent]:
    """The messages named by the `event` parameters, oldest first; Http404 unless each is there, and not too many."""
    keys = {number(word) for word in given.getlist("event")}
    found = list(
        ShipmentEvent.objects.select_related("shipment", "source")
        .filter(pk__in=[key for key in keys if key is not None])
        .order_by("pk")[: MOST_AT_ONCE + 1]
    )
    if not found or len(found) != len(keys) or len(found) > MOST_AT_ONCE:
        raise Http404("There are no such messages.")
    return found


def _address(page: str, keys: Sequence[int]) -> str:
    query = QueryDict(mutable=True)
    query.setlist("event", [str(key) for key in keys])
    return f"{reverse(f'admin:settlements_shipmentevent_{page}')}?{query.urlencode()}"
