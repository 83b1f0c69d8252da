"""What pages of the admin have in common: rows to read, titles, filters by known words, amounts."""

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME, ActionForm
from django.core.exceptions import BadRequest
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
from django.utils.text import capfirst

from rails.admin_columns import COLUMNS, Columns, called, fitted, worded
from rails.money import EXPONENTS, Money
from rails.wording import NOTHING, in_words

# To the type checker django-unfold, which has no types, is the admin of Django that it extends.
if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin, TabularInline
else:
    from unfold.admin import ModelAdmin, TabularInline

# As Django's filters spell what they ask of their column.
_PLAIN_LOOKUP: Final = re.compile(r"__(?:(?:id__)?exact|gte|lt|isnull|isempty)$")
_ROW_ID: Final = re.compile(r"[0-9]{1,18}", re.ASCII)


class NewestPaginator(Paginator):  # type: ignore[type-arg]
    """Pages through the first rows of a list only: counting a million rows is no way to begin the day."""

    most = 10_000

    @cached_property
    def count(self) -> int:
        rows = cast("QuerySet[Any]", self.object_list)
        return rows[: self.most].count()


def words(
    column: str, values: Iterable[str], *, written: Callable[[str], str] = in_words
) -> type[admin.SimpleListFilter]:
    """A filter over a column's known words, asked as they are stored; Django's own would look in every row."""
    choices = [(value, written(value)) for value in values]

    class Words(admin.SimpleListFilter):
        title = called(column)
        parameter_name = column

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            return choices

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            known = self.value() in {value for value, _ in choices}
            return queryset.filter(**{column: self.value()}) if known else queryset

    return Words


BY_CURRENCY = words("currency", EXPONENTS, written=str)


class Titled(ModelAdmin):  # type: ignore[type-arg]
    """Pages that are called by what they show: the list by its rows, the page of a row by the row."""

    # As the navigation says it, where the model's own name says less; and what a row is called before its name.
    called: ClassVar[str] = ""
    row_called: ClassVar[str] = ""
    action_form = ActionForm

    @property
    def list_title(self) -> str:
        """What the list is called."""
        return self.called or capfirst(str(self.opts.verbose_name_plural))

    def row_title(self, row: Any) -> str:
        """What the page of a row is called."""
        return f"{self.row_called} {row}" if self.row_called else capfirst(str(row))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"title": self.list_title, **(extra_context or {})})

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        if obj is not None:
            context = {**context, "title": self.row_title(obj), "subtitle": None}
        return super().render_change_form(request, context, add=add, change=change, form_url=form_url, obj=obj)


class ReadOnlyAdmin(Titled):
    """Rows to read, for those with the view permission; they are written by the domain alone."""

    change_form_template = "admin/row.html"
    columns: ClassVar[Columns] = COLUMNS
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = NewestPaginator
    list_fullwidth = True
    # What our own links into a list ask for, beside its filters.
    linked_by: ClassVar[frozenset[str]] = frozenset()

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Only what the list's filters and our links ask: other columns would tell what the pages do not show."""
        if "\x00" in str(value):
            return False
        return (
            lookup == "pk"
            or lookup in self.linked_by
            or _PLAIN_LOOKUP.sub("", lookup) in self._filtered_columns(request)
        )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not all(_ROW_ID.fullmatch(key) for key in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            raise BadRequest("a selected row has a number")
        return super().changelist_view(request, extra_context)

    def get_list_display(self, request: HttpRequest) -> Any:
        return [fitted(name, self.model, self.columns) for name in super().get_list_display(request)]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """All of them where none are named: minor units with their currency are an amount then."""
        found = list(super().get_fields(request, obj))
        if "amount_minor" not in found:
            return found
        return [amount if name == "amount_minor" else name for name in found if name != "currency"]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return in_columns(super().get_fieldsets(request, obj), self.model, self.columns)

    def _filtered_columns(self, request: HttpRequest) -> set[str]:
        filters = [each[0] if isinstance(each, tuple) else each for each in self.get_list_filter(request)]
        return {each if isinstance(each, str) else str(getattr(each, "parameter_name", "")) for each in filters}

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReadOnlyInline(TabularInline):  # type: ignore[type-arg]
    """Rows below the one they belong to, to read."""

    extra = 0
    can_delete = False
    show_change_link = True
    columns: ClassVar[Columns] = COLUMNS

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return in_columns(super().get_fieldsets(request, obj), self.model, self.columns)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [worded(name, self.model, self.columns) for name in super().get_readonly_fields(request, obj)]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def in_columns(fieldsets: Any, model: type[Model], columns: Columns) -> list[tuple[Any, dict[str, Any]]]:
    """The fieldsets with what can be written in words written so."""
    return [
        (name, {**options, "fields": [worded(field, model, columns) for field in options["fields"]]})
        for name, options in fieldsets
    ]


@admin.display(description="amount", ordering="amount_minor")
def amount(row: Any) -> str:
    """The row's amount in major units with its currency, thousands apart: `38,400.00 USD`; a row may have none."""
    return NOTHING if row.amount_minor is None else money(row.amount_minor, row.currency)


def money(minor: int, currency: str) -> str:
    """Minor units as people write an amount, thousands apart."""
    return f"{Money(minor, currency).major:,} {currency}"
