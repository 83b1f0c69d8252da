"""What a list of the admin shows, as a selection: its own filters and search, translated by Django, not by us."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ALL_VAR, ORDER_VAR, PAGE_VAR, SEARCH_VAR, ChangeList
from django.contrib.auth.models import User
from django.core.exceptions import EmptyResultSet
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict

from rails.wording import in_words
from settlements.exports.datasets import Asked, Dataset, ListOfRows
from settlements.exports.filters import FilterInvalid
from settlements.exports.selections import EVERYTHING, Selection

_NOTHING = "SELECT 0::bigint WHERE false"


def selected(dataset: Dataset, asked: Asked, *, user: User | None) -> tuple[Selection, str]:
    """What is asked for, and which column of the dataset its keys are.

    Raises FilterInvalid. A list of the admin is read with the eyes of `user`.
    """
    if not asked.list_label:
        return dataset.select(asked.filters), dataset.key
    if user is None:
        raise FilterInvalid("list", "A list of the admin is somebody's.")
    rows = dataset.list_of(asked.list_label)
    select = rows.select or _Changelist(rows)
    return select(QueryDict(asked.query), user), rows.key


class _Changelist:
    """One of Django's lists."""

    def __init__(self, rows: ListOfRows) -> None:
        self._rows = rows

    def __call__(self, query: QueryDict, user: User) -> Selection:
        if "%00" in query.urlencode():
            raise FilterInvalid("list", "The list can not be read with this address.")
        request = HttpRequest()
        request.method, request.user = "GET", user
        request.GET = _without_pages(query)  # type: ignore[assignment]  # as good as the one Django makes
        registered = {model._meta.label_lower: site for model, site in admin.site._registry.items()}
        try:
            found = registered[self._rows.label].get_changelist_instance(request)
        except IncorrectLookupParameters:
            raise FilterInvalid("list", "The list can not be read with this address.") from None
        return of_changelist(found)


def of_changelist(shown: ChangeList) -> Selection:
    """The rows of a list that is on the screen, on all its pages."""
    words = _in_words(shown)
    rows: QuerySet[Any] = shown.queryset
    if not rows.query.where:
        return EVERYTHING
    try:
        sql, params = rows.order_by().values("pk").query.sql_with_params()
    except EmptyResultSet:
        return Selection(sql=_NOTHING, words=words)
    return Selection(sql=sql, params=params, words=words)


def _without_pages(query: QueryDict) -> QueryDict:
    rest = query.copy()
    for name in (PAGE_VAR, ALL_VAR, ORDER_VAR):
        rest.pop(name, None)
    return rest


def _in_words(shown: ChangeList) -> str:
    """`status: Pending, search: SHIP-1`; what no filter of the list knows stands as it came."""
    said = [f"search: {shown.query}"] if shown.query else []
    told: set[str] = set()
    for spec in shown.filter_specs:
        used = {name for name in spec.expected_parameters() if name in shown.params}
        if used:
            told |= used
            chosen = [str(choice["display"]) for choice in spec.choices(shown) if choice["selected"]]
            asked = ", ".join(f"{name}={_last(shown.params[name])}" for name in sorted(used))
            said.append(f"{spec.title}: {' '.join(chosen) or asked}" + (f" ({asked})" if _is_relative(used) else ""))
    rest = {name: value for name, value in shown.params.items() if name not in {*told, SEARCH_VAR, ALL_VAR, ORDER_VAR}}
    said += [f"{in_words(name).lower()}: {_last(value)}" for name, value in rest.items()]
    return ", ".join(said)


def _is_relative(names: set[str]) -> bool:
    """Whether a filter says something like `today`, which means another day tomorrow: then its bounds are told too."""
    return any(name.endswith(("__gte", "__lt")) for name in names)


def _last(value: Any) -> str:
    return str(value[-1] if isinstance(value, list) else value)
