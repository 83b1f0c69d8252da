"""Recipients, their destinations, rails and default payment methods in the admin: looked up, and acted upon."""

from typing import Any, ClassVar, cast

from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from compliance import fees, rail_acts, statement_pages
from compliance.destination_acts import OF_DESTINATION, OF_RECIPIENT
from compliance.pages import may
from compliance.rail_forms import FindForm
from compliance.row_acts import ActingAdmin, act_view, choice
from rails import admin as admin_of_rails
from rails import destinations
from rails.admin_destinations import DestinationAdmin, DestinationsOfRecipient, MethodRuleAdmin, paid_by
from rails.models import Destination, JournalEntry, MethodRule, RailSwitch, Recipient
from settlements.permissions import Permission

for registered in (JournalEntry, Recipient, RailSwitch):
    admin.site.unregister(registered)


@admin.register(Recipient)
class RecipientActs(ActingAdmin, admin_of_rails.RecipientAdmin):
    """Where the recipient is paid, who changed what, and the acts."""

    acts = OF_RECIPIENT
    fields: ClassVar[Any] = [
        "recipient_id", "name", paid_by, "payouts_enabled", "revision", "created_at", "updated_at",
    ]  # fmt: skip
    readonly_fields = fields
    inlines: ClassVar[Any] = [DestinationsOfRecipient, *admin_of_rails.RecipientAdmin.inlines]
    change_form_template = "admin/compliance/rails/recipient.html"

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.statement_view)
        return [path("<int:pk>/statement/", page, name="rails_recipient_statement"), *super().get_urls()]

    def statement_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What it earned, what is held, what was paid and returned."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        recipient = self.get_object(request, str(pk))
        if recipient is None:
            raise Http404("There is no such recipient.")
        return statement_pages.statement_view(request, recipient)


@admin.register(Destination)
class DestinationActs(ActingAdmin, DestinationAdmin):
    """Every version, its decision, and whose an account number is."""

    acts = OF_DESTINATION

    def get_urls(self) -> list[URLPattern]:
        find = path("find/", self.admin_site.admin_view(self.find_view), name="rails_destination_find")
        return [find, *super().get_urls()]

    def find_view(self, request: HttpRequest) -> HttpResponse:
        """By POST alone: what is searched for stands in no address, and so in no log."""
        if not self.has_view_permission(request) or not may(request, Permission.READ_RECIPIENTS):
            raise PermissionDenied
        form = FindForm(request.POST if request.method == "POST" else None)
        found: QuerySet[Destination] | None = None
        if form.is_valid():
            found = destinations.by_account_number(form.cleaned_data["number"]).select_related("recipient")[:200]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Find an account number",
            "form": form,
            "found": [(row, destinations.in_words(row)) for row in found] if found is not None else None,
        }
        response = TemplateResponse(request, "admin/compliance/rails/find.html", context)
        response["Cache-Control"] = "no-store"
        return response


@admin.register(MethodRule)
class MethodRuleActs(ActingAdmin, MethodRuleAdmin):
    """The table of defaults: rules are made and ended."""

    called = "Default payment methods"
    acts = (rail_acts.END_RULE,)

    def get_urls(self) -> list[URLPattern]:
        new = path("new/", self.admin_site.admin_view(self.new_view), name="rails_methodrule_new")
        return [new, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        more = {"may_manage": may(request, Permission.MANAGE_RAILS)}
        return super().changelist_view(request, {**(extra_context or {}), **more})

    def new_view(self, request: HttpRequest) -> HttpResponse:
        """A new rule."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        back = reverse("admin:rails_methodrule_changelist")
        return act_view(request, rail_acts.ADD_RULE, None, back=back, title="", opts=self.opts)


@admin.register(JournalEntry)
class JournalEntryActs(admin_of_rails.JournalEntryAdmin):
    """The journal, and the one thing people book themselves: fees."""

    def get_urls(self) -> list[URLPattern]:
        fee = path("fee/", self.admin_site.admin_view(self.fee_view), name="rails_journalentry_fee")
        return [fee, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        more = {"may_book": may(request, fees.BOOK_FEE.permission)}
        return super().changelist_view(request, {**(extra_context or {}), **more})

    def fee_view(self, request: HttpRequest) -> HttpResponse:
        """A fee out of a statement."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        back = reverse("admin:rails_journalentry_changelist")
        return act_view(request, fees.BOOK_FEE, None, back=back, title="", opts=self.opts)


@admin.register(RailSwitch)
class Rails(admin_of_rails.RailSwitchAdmin):
    """Every rail with its switch, and who turned which when."""

    called = "Rails on and off"
    row_called = "Rail"

    def get_urls(self) -> list[URLPattern]:
        turn = path(
            "turn/<str:method>/<str:way>/", self.admin_site.admin_view(self.turn_view), name="rails_railswitch_turn"
        )
        return [turn, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        rails = rail_acts.rails()
        offered = [(rail, choice(request, rail_acts.turning(rail), rail, self._address(rail))) for rail in rails]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": self.list_title,
            "rails": offered,
            "choices": [each for _, each in offered if each is not None],
            "turns": self._turns(),
        }
        return TemplateResponse(request, "admin/compliance/rails/switches.html", context)

    def turn_view(self, request: HttpRequest, method: str, way: str) -> HttpResponse:
        """One rail, on or off."""
        rail = next((each for each in rail_acts.rails() if each.method == method), None)
        if rail is None or way not in {"on", "off"} or not self.has_view_permission(request):
            raise Http404("There is no such switch.")
        act = rail_acts.turning(rail, on=way == "on")
        back = reverse("admin:rails_railswitch_changelist")
        with transaction.atomic():
            response = act_view(request, act, rail, back=back, title=rail.words, opts=self.opts)
            if request.method == "POST" and response.status_code == 302 and response["Location"] == back:
                self._log(request, rail, f"Turned {way}: {request.POST['reason'].strip()}")
        return response

    def _log(self, request: HttpRequest, rail: rail_acts.Rail, message: str) -> None:
        row = RailSwitch.objects.get(rail=rail.provider)
        LogEntry.objects.log_actions(
            user_id=cast(User, request.user).pk,
            queryset=[row],
            action_flag=CHANGE,
            change_message=message,
            single_object=True,
        )

    def _turns(self) -> list[LogEntry]:
        of = ContentType.objects.get_for_model(RailSwitch)
        return list(LogEntry.objects.filter(content_type=of).select_related("user").order_by("-pk")[:50])

    def _address(self, rail: rail_acts.Rail) -> str:
        return reverse("admin:rails_railswitch_turn", args=[rail.method, "off" if rail.on else "on"])
