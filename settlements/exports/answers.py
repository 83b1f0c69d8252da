"""An export as an answer over HTTP: a file to save, that no cache keeps and no browser runs."""

from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeVar

from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header

from settlements.exports.datasets import Asked, find
from settlements.exports.records import By
from settlements.exports.selections import Selection
from settlements.exports.severing import Severing
from settlements.exports.streaming import Stream

MEDIA_TYPE: Final = "text/csv; charset=utf-8"
# The export's number, by which its row count and SHA-256 are asked for afterwards.
NUMBER_HEADER: Final = "ChainPay-Export"

Response = TypeVar("Response", bound=HttpResponseBase)


def streamed(
    request: HttpRequest, asked: Asked, selection: Selection, *, key: str, by: By, clock: Callable[[], datetime]
) -> StreamingHttpResponse:
    """The export, begun. Raises ExportsBusy."""
    severing = Severing(peer=request.META.get("REMOTE_ADDR", ""), port=request.META.get("SERVER_PORT", ""))
    stream = Stream(asked, find(asked.dataset), selection, key=key, by=by, severing=severing, clock=clock)
    response = as_file(StreamingHttpResponse(stream), stream.export.file_name)
    response[NUMBER_HEADER] = str(stream.export.pk)
    return response


def as_file(response: Response, name: str) -> Response:
    """The answer with the headers of a CSV to save under a name."""
    response["Content-Type"] = MEDIA_TYPE
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response
