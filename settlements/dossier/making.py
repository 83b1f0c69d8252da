"""Makes the dossier of a payment intent: one ZIP that an auditor checks without us; the office's log tells of it."""

import hashlib
import io
import logging
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import orjson
from django.db import connection, transaction

from settlements import office_log
from settlements.archives import beside, records
from settlements.archives.files import Damaged
from settlements.dossier import contents, verify
from settlements.models import AuditArchive, AuditEvent, Checkpoint, CheckpointHead, PaymentIntent
from settlements.office_log import OfficeAction, OfficeDraft
from settlements.proof import checkpoints, keys, publishing
from settlements.proof.tree import Growing, leaf_hash, leaf_text

logger = logging.getLogger(__name__)

KIND: Final = "chainpay dossier 1"
_HERE: Final = Path(__file__).parent
_TRIES: Final = 5


class NoSuchIntent(Exception):
    """There is no payment intent of this number."""


class KeepsChanging(Exception):
    """The intent grew while its dossier was made, several times in a row."""


class NotPublished(Exception):
    """The checkpoint that covers the intent can not be written out."""


class Contradicts(Exception):
    """The records do not fit the audit chain; the words name the first that does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """The ZIP; `sha256` in hexadecimal, `key` the fingerprint of the key that signed, `checkpoint` what covers it."""

    file_name: str
    content: bytes
    sha256: str
    checkpoint: int
    key: str


def make(intent_id: int, *, by: str, clock: Callable[[], datetime]) -> Dossier:
    """Covers the intent by a checkpoint if none does, and gathers what is on record as of that.

    Raises NoSuchIntent, KeepsChanging, NotPublished, Contradicts, keys.NoKey, publishing.CopyDiffers, and
    IntegrityError where some chain is shorter than was signed.
    """
    if not PaymentIntent.objects.filter(pk=intent_id).exists():
        raise NoSuchIntent(f"There is no payment intent {intent_id}.")
    for _ in range(_TRIES):
        now = clock()
        if not _is_covered(intent_id):
            checkpoints.make(now=now)
        _publish()
        with _one_moment(intent_id):
            if not _is_covered(intent_id):
                continue
            checkpoint = checkpoints.newest()
            assert checkpoint is not None  # it covers the intent
            files = _files(intent_id, checkpoint, by=by, now=now)
        return _handed_out(intent_id, checkpoint, files, by=by, now=now)
    raise KeepsChanging(f"Payment intent {intent_id} changes at the moment; try again.")


def _publish() -> None:
    try:
        publishing.publish()
    except OSError as trouble:
        logger.error("No dossier is made while checkpoints can not be published: %s", trouble)
        why = trouble.strerror or str(trouble)
        raise NotPublished(f"The checkpoint that covers it can not be written out: {why}.") from trouble


@contextmanager
def _one_moment(intent_id: int) -> Iterator[None]:
    """What is read inside is of one moment, archived events too; inside a caller's transaction of what that sees."""
    alone = not connection.in_atomic_block
    with transaction.atomic():
        if alone:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        archives = list(AuditArchive.objects.filter(parts__intent=intent_id).order_by("pk"))
        with beside.shown() if archives else nullcontext():
            try:
                for archive in archives:
                    with records.opened(archive) as lines:
                        for _ in beside.load(line for line in lines if line.intent_id == intent_id):
                            pass
                    beside.settle()
            except Damaged as damaged:
                raise Contradicts(f"Its audit events are in audit archive {archive.label}, but {damaged}.") from damaged
            if alone:
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION READ ONLY")
            yield


def _is_covered(intent_id: int) -> bool:
    """Whether the newest checkpoint saw all that there is of the intent, and is signed by today's key.

    Raises Contradicts where it saw more.
    """
    checkpoint = checkpoints.newest()
    last = AuditEvent.objects.filter(intent=intent_id).order_by("-sequence").values_list("sequence", flat=True).first()
    head = CheckpointHead.objects.filter(chain=intent_id).order_by("-checkpoint_id").first()
    if head is not None and head.length > (last or 0):
        raise Contradicts(f"Payment intent {intent_id} has {last or 0} audit events, but {head.length} were signed.")
    return (
        checkpoint is not None
        and head is not None
        and head.length == last
        and bytes(checkpoint.public_key) == keys.public_key()
    )


def _files(intent_id: int, checkpoint: Checkpoint, *, by: str, now: datetime) -> Mapping[str, bytes]:
    intent = PaymentIntent.objects.select_related("shipment", "recipient").get(pk=intent_id)
    readme = (_HERE / "README.txt").read_text()
    words = readme.format(
        intent_id=intent_id, made_at=f"{now:%Y-%m-%d %H:%M} UTC", made_by=by, checkpoint=checkpoint.pk
    )
    files = {
        "README.txt": words.encode(),
        "verify.py": Path(verify.__file__).read_bytes(),
        "public_key.txt": f"{bytes(checkpoint.public_key).hex()}\n".encode(),
        "proof.json": _proof(intent_id, checkpoint),
        "chain.jsonl": contents.chain(intent_id),
        **contents.records(intent),
    }
    manifest = orjson.dumps(
        {
            "kind": KIND,
            "intent_id": intent_id,
            "checkpoint": checkpoint.pk,
            "made_at": contents.at(now),
            "made_by": by,
            "files": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())},
        },
        option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
    )
    return {**files, "manifest.json": manifest, "manifest.sig": f"{keys.sign(manifest).hex()}\n".encode()}


def _proof(intent_id: int, checkpoint: Checkpoint) -> bytes:
    """The leaf and its way to the root: every leaf of the checkpoint is read once, one at a time."""
    head = CheckpointHead.objects.filter(chain=intent_id).latest("checkpoint_id")
    leaf, tree = leaf_text(intent_id, head.length, bytes(head.hash)), Growing(proving=head.position)
    with checkpoints.leaves(checkpoint.pk) as leaves:
        for _, chain, length, hash_ in leaves:
            tree.add(leaf_hash(leaf_text(chain, length, hash_)))
    tree.root()
    return orjson.dumps(
        {
            "leaf": leaf.decode(),
            "position": head.position,
            "path": [node.hex() for node in tree.path],
            "checkpoint": checkpoints.body(checkpoint).decode(),
            "signature": bytes(checkpoint.signature).hex(),
        },
        option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
    )


def _handed_out(
    intent_id: int, checkpoint: Checkpoint, files: Mapping[str, bytes], *, by: str, now: datetime
) -> Dossier:
    try:
        verify.check(dict(files))
    except verify.Wrong as wrong:
        raise Contradicts(f"The records of payment intent {intent_id} do not fit its audit chain: {wrong}") from wrong
    content = _zipped(files, now)
    dossier = Dossier(
        file_name=f"chainpay_dossier_{intent_id}_{now:%Y%m%dT%H%M%SZ}.zip",
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        checkpoint=checkpoint.pk,
        key=keys.fingerprint(bytes(checkpoint.public_key)),
    )
    with transaction.atomic():
        told = {"checkpoint": dossier.checkpoint, "bytes": len(content), "sha256": dossier.sha256}
        action, subject = OfficeAction.DOSSIER_MADE, f"intent {intent_id}"
        office_log.record(OfficeDraft(action=action, subject=subject, actor=by, data=told), now=now)
    return dossier


def _zipped(files: Mapping[str, bytes], now: datetime) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, date_time=now.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return written.getvalue()
