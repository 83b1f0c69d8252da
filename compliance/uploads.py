"""Which uploaded files get into memory: one per request, on a page that takes files, and no more than it takes."""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

from django.conf import settings
from django.core.files.uploadedfile import InMemoryUploadedFile, UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile

from settlements.permissions import Permission

LARGEST_BANK_FILE: Final = 5 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Page:
    """A page that takes a file: whose, and of how many bytes at most."""

    permission: Permission
    most_bytes: Callable[[], int]


PAGES: Final = {
    "compliance_reviewqueue_evidence": Page(
        Permission.ANNOTATE_SETTLEMENT, lambda: int(settings.CHAINPAY_EVIDENCE_MAX_BYTES)
    ),
    "rails_achinboundfile_upload": Page(Permission.HANDLE_BANK_FILES, lambda: LARGEST_BANK_FILE),
}


class ExpectedOnly(FileUploadHandler):
    """Django's only upload handler here: every other file is read over and forgotten."""

    _kept: BytesIO | None = None
    _seen = 0
    _most = 0

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Skips the file unless it is the first of somebody who may bring one, on that page."""
        super().new_file(*args, **kwargs)
        self._seen += 1
        page = self._page()
        if self._seen > 1 or page is None:
            raise SkipFile
        self._most = page.most_bytes()
        self._kept = BytesIO()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Keeps the bytes up to the limit; above it none at all."""
        if start + len(raw_data) > self._most:
            self._kept = None
        if self._kept is not None:
            self._kept.write(raw_data)

    def file_complete(self, file_size: int) -> "UploadedFile[bytes]":
        """The file with its true size; without content when that is above the limit."""
        content = self._kept or BytesIO()
        content.seek(0)
        return InMemoryUploadedFile(
            file=content,
            field_name=self.field_name,
            name=self.file_name,
            content_type=self.content_type,
            size=file_size,
            charset=self.charset,
        )

    def _page(self) -> Page | None:
        """Asked while the body is read, before any view has asked who it is."""
        request = self.request
        if request is None or request.resolver_match is None:
            return None
        page = PAGES.get(request.resolver_match.url_name or "")
        user = getattr(request, "user", None)
        if page is None or user is None or not user.is_staff or not user.has_perm(page.permission.full_name):
            return None
        return page
