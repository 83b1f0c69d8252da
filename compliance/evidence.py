"""Evidence of a settlement: its only writer, and the only way to the bytes again."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Final

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages
from django.db import transaction

from compliance.evidence_types import shown_name, type_of
from compliance.models import Evidence
from settlements import audit, candidates, locks
from settlements.approvals import Officer
from settlements.models import MilestoneSettlement
from settlements.refusals import Kind, Refusal

STORAGE: Final = "evidence"


class EvidenceRefused(Refusal):
    """The file is empty or larger than evidence may be."""

    code = "evidence_refused"


class EvidenceIsThere(Refusal):
    """The same file is evidence of this settlement already."""

    code = "evidence_is_there"
    kind = Kind.CONFLICT


class EvidenceDamaged(Exception):
    """The bytes in the storage are not those that were uploaded, or not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What became of an upload."""

    evidence_id: int
    name: str

    @property
    def message(self) -> str:
        """A sentence for the officer."""
        return f"Evidence {self.name} added"


def add(milestone_id: int, *, file: IO[bytes], name: str, description: str, officer: Officer, now: datetime) -> Added:
    """Keeps a file as evidence of a settlement, whatever its status. Raises a Refusal, and then nothing is written.

    The bytes are stored before the row that names them: a crash between leaves a file that nobody knows of, never a row
    without its file.
    """
    content = _read(file)
    shown = shown_name(name)
    kind = type_of(shown, content)
    digest = hashlib.sha256(content).hexdigest()
    _refuse_twice(milestone_id, digest)
    key = _store(digest, content)
    with transaction.atomic():
        locks.of_settlement(milestone_id)
        _refuse_twice(milestone_id, digest)
        (candidate,) = candidates.read([milestone_id])
        row = Evidence.objects.create(
            settlement_id=milestone_id,
            name=shown,
            media_type=kind.media_type,
            size=len(content),
            sha256=digest,
            storage_key=key,
            description=description,
            uploaded_by_id=officer.pk,
            uploaded_at=now,
        )
        audit.record(
            [
                audit.Draft(
                    intent_id=candidate.intent_id,
                    settlement_id=milestone_id,
                    action=audit.EVIDENCE_ADDED,
                    triggered_by=officer.actor,
                    from_status=candidate.status.value,
                    to_status=candidate.status.value,
                    reason=description,
                    data={"name": shown, "size": len(content), "sha256": digest},
                )
            ],
            now=now,
        )
    return Added(evidence_id=row.pk, name=shown)


def content_of(row: Evidence) -> bytes:
    """The bytes that were uploaded, proven by their hash; raises EvidenceDamaged."""
    storage = _storage()
    try:
        with storage.open(row.storage_key) as stored:
            content: bytes = stored.read(row.size + 1)
    except (OSError, ValueError) as missing:
        raise EvidenceDamaged(f"evidence {row.pk}: the file {row.storage_key} can not be read") from missing
    found = hashlib.sha256(content).hexdigest()
    if found != row.sha256:
        raise EvidenceDamaged(f"evidence {row.pk}: the file {row.storage_key} has SHA-256 {found}, not {row.sha256}")
    return content


def _read(file: IO[bytes]) -> bytes:
    """The whole file; never more than one byte above the limit is read."""
    content = file.read(largest() + 1)
    if len(content) > largest():
        raise too_large()
    if not content:
        raise EvidenceRefused("The file is empty.", field="file")
    return content


def largest() -> int:
    """How many bytes one file may have."""
    limit: int = settings.CHAINPAY_EVIDENCE_MAX_BYTES
    return limit


def too_large() -> EvidenceRefused:
    """What is said of a file above the limit."""
    return EvidenceRefused(f"The file is larger than {largest():,} bytes; evidence may not be.", field="file")


def _refuse_twice(milestone_id: int, digest: str) -> None:
    there = Evidence.objects.filter(settlement_id=milestone_id, sha256=digest).first()
    if there is not None:
        raise EvidenceIsThere(f"This very file is evidence of the settlement already, as {there.name}.", field="file")
    if not MilestoneSettlement.objects.filter(pk=milestone_id).exists():
        raise locks.SettlementNotFound(milestone_id)


def _store(digest: str, content: bytes) -> str:
    """Named by its content: stored again it is the same file."""
    key = f"{digest[:2]}/{digest}"
    named: str = _storage().save(key, ContentFile(content))
    if named != key:
        raise RuntimeError(f"the evidence storage named {key} {named}: it must overwrite")
    return key


def _storage() -> Storage:
    return storages[STORAGE]
