"""/exports: datasets as CSV, streamed. Reading leaves a record of the reading, and changes nothing else."""

from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from django.http import HttpResponse, HttpResponseBase
from django.utils import timezone
from rest_framework.request import Request

from settlements.api.callers import Caller
from settlements.api.endpoint import Endpoint
from settlements.api.errors import Fault, Refused, RefusedFields
from settlements.exports import answers
from settlements.exports.answers import NUMBER_HEADER as NUMBER_HEADER
from settlements.exports.datasets import Asked, Dataset
from settlements.exports.filters import FilterInvalid
from settlements.exports.records import By
from settlements.exports.selections import Selection
from settlements.exports.streaming import ExportsBusy
from settlements.permissions import Scope

_BUSY_SECONDS: Final = 10


class ExportCsv(Endpoint):
    """One dataset as it is now, every row that the filters let through."""

    scopes = {"GET": Scope.EXPORTS_READ}
    dataset: ClassVar[Dataset]

    def get(self, request: Request) -> HttpResponseBase:
        require(self.caller, self.dataset)
        asked = Asked(dataset=self.dataset.name, filters=self._filters())
        selection = selected(self.dataset, asked)
        try:
            return answers.streamed(
                request._request, asked, selection, key=self.dataset.key, by=by(self.caller), clock=timezone.now
            )
        except ExportsBusy:
            wait = {"Retry-After": str(_BUSY_SECONDS)}
            raise Refused("exports_busy", "Other exports are being sent; repeat shortly.", 503, headers=wait) from None

    def head(self, request: Request) -> HttpResponse:
        """What GET would answer with; nothing is exported."""
        require(self.caller, self.dataset)
        selected(self.dataset, Asked(dataset=self.dataset.name, filters=self._filters()))
        return answers.as_file(HttpResponse(), self.dataset.file_name(datetime.now(UTC)))

    def _filters(self) -> dict[str, str]:
        given = ((name, self.query.text(name)) for name in sorted(self.query_parameters))
        return {name: text for name, text in given if text is not None}


def endpoint_of(dataset: Dataset) -> type[Endpoint]:
    """The endpoint of one dataset."""
    members: dict[str, Any] = {
        "__doc__": dataset.says,
        "dataset": dataset,
        "query_parameters": frozenset(each.name for each in dataset.filters),
    }
    return type(f"ExportOf{dataset.name.title().replace('_', '')}", (ExportCsv,), members)


def require(caller: Caller, dataset: Dataset) -> None:
    """Raises Refused (403): a carrier exports nothing, whatever its key holds; others read what they may read."""
    if caller.carrier_id:
        raise Refused("permission_denied", "Exports are not for carriers.", 403)
    caller.require(dataset.scope)


def by(caller: Caller) -> By:
    """Who exports, as the office's log names them."""
    return By(actor=caller.actor, user_id=caller.user.pk if caller.user else None)


def selected(dataset: Dataset, asked: Asked) -> Selection:
    """The rows that the filters let through. Raises RefusedFields."""
    try:
        return dataset.select(asked.filters)
    except FilterInvalid as invalid:
        fault = Fault(code=f"{invalid.name}_invalid", detail=invalid.detail, field=invalid.name)
        raise RefusedFields([fault]) from None
