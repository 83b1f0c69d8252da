"""What can be exported: each dataset a table of columns, filters and lists of the admin; they register themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Protocol

from django.contrib.auth.models import User
from django.http import QueryDict

from settlements.exports import filters
from settlements.exports.columns import Column
from settlements.exports.filters import Filter
from settlements.exports.selections import Selection
from settlements.permissions import PERMISSION_OF_SCOPE, Permission, Scope
from settlements.refusals import Kind, Refusal


class UnknownDataset(Refusal):
    """There is no such dataset to export."""

    code = "dataset_unknown"
    kind = Kind.INVALID

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no dataset {name!r}; there are {', '.join(sorted(_known))}.", field="dataset")


class OnScreen(Protocol):
    """Translates the address of a list in the admin to the keys of its rows."""

    def __call__(self, query: QueryDict, user: User) -> Selection: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOfRows:
    """A list of the admin whose rows are exported: its model, and which column of the dataset its keys are.

    `select` reads a list that is not one of Django's.
    """

    label: str
    key: str
    select: OnScreen | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Rows of `source` (SQL after FROM), in the order of `key`; one for each row of `table`, the first of its aliases.

    `base` yields the keys of all rows under the aliases that the filters use, `always` is a condition beside every
    filter, empty for none. `amount` and `currency` are what is summed up, empty where nothing is. `scope` is what a
    caller needs beside the right to export. Another meaning, order or name of a column is another `version`.
    """

    name: str
    version: int
    title: str
    says: str
    columns: Sequence[Column]
    table: str
    source: str
    key: str
    base: str
    scope: Scope
    filters: Sequence[Filter]
    lists: Sequence[ListOfRows]
    always: str = ""
    amount: str = ""
    currency: str = ""

    @property
    def permission(self) -> Permission:
        """What staff need beside the right to export."""
        return PERMISSION_OF_SCOPE[self.scope]

    def select(self, asked: Mapping[str, str]) -> Selection:
        """The rows that these filters let through. Raises FilterInvalid."""
        return filters.select(self.filters, asked, rows=self.base, always=self.always)

    def list_of(self, label: str) -> ListOfRows:
        """The list of the admin by its model's label; KeyError for one that is not of this dataset."""
        return {each.label: each for each in self.lists}[label]

    def file_name(self, now: datetime) -> str:
        """What a file of it is called."""
        return f"chainpay_{self.name}_v{self.version}_{now:%Y%m%dT%H%M%SZ}.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody asks for: filters by name, or a list of the admin (its model's label) with its address's query."""

    dataset: str
    filters: Mapping[str, str] = field(default_factory=dict)
    list_label: str = ""
    query: str = ""

    def data(self) -> dict[str, Any]:
        """As it is kept."""
        return {"filters": dict(self.filters), "list": self.list_label, "query": self.query}


_known: dict[str, Dataset] = {}
KNOWN: Final[Mapping[str, Dataset]] = MappingProxyType(_known)


def register(dataset: Dataset) -> Dataset:
    """Makes a dataset known by its name; an app above this one does it when it is ready."""
    _known[dataset.name] = dataset
    return dataset


def find(name: str) -> Dataset:
    """The dataset of this name. Raises UnknownDataset."""
    if name not in _known:
        raise UnknownDataset(name)
    return _known[name]
