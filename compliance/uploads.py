"""Which uploaded files get into memory: one per request, on the page for evidence, and no more than evidence may be."""

from io import BytesIO
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import InMemoryUploadedFile, UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile

from settlements.permissions import Permission

EVIDENCE_PAGE = "compliance_reviewqueue_evidence"


class EvidenceOnly(FileUploadHandler):
    """Django's only upload handler here: every other file is read over and forgotten."""

    _kept: BytesIO | None = None
    _seen = 0

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Skips the file unless it is the first of somebody who may add evidence, on that page."""
        super().new_file(*args, **kwargs)
        self._seen += 1
        if self._seen > 1 or not self._is_expected():
            raise SkipFile
        self._kept = BytesIO()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Keeps the bytes up to the limit; above it none at all."""
        if start + len(raw_data) > settings.CHAINPAY_EVIDENCE_MAX_BYTES:
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

    def _is_expected(self) -> bool:
        """Asked while the body is read, before any view has asked who it is."""
        request = self.request
        if request is None or request.resolver_match is None or request.resolver_match.url_name != EVIDENCE_PAGE:
            return False
        user = getattr(request, "user", None)
        return user is not None and user.is_staff and user.has_perm(Permission.ANNOTATE_SETTLEMENT.full_name)
