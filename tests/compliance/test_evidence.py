"""Evidence: what is taken and what is not, where it lies, that it stays as it was, and who gets it how."""

import hashlib
import os
import stat
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction
from django.utils import timezone

from compliance import evidence
from compliance.evidence_types import EvidenceTypeRefused, shown_name, type_of
from compliance.models import Evidence
from compliance.roles import Role
from settlements import audit, verify
from settlements.models import AuditEvent, MilestoneSettlement
from tests.compliance.conftest import logged_in, waiting
from tests.factories import officer as as_officer

PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n"
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 20
JPEG = b"\xff\xd8\xff\xe0" + b"\x00" * 20


@pytest.fixture(autouse=True)
def place(settings: Any, tmp_path: Path) -> Path:
    """A storage of this test's own."""
    folder = tmp_path / "evidence"
    backend = "compliance.evidence_storage.PrivateFiles"
    settings.STORAGES = {**settings.STORAGES, "evidence": {"BACKEND": backend, "OPTIONS": {"location": folder}}}
    return folder


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def page(one: MilestoneSettlement, row: Evidence | None = None) -> str:
    return f"/admin/compliance/reviewqueue/{one.pk}/evidence/" + (f"{row.pk}/" if row else "")


def upload(user: User, one: MilestoneSettlement, name: str = "pod.pdf", content: bytes = PDF, reason: str = "signed"):
    return logged_in(user).post(page(one), {"reason": reason, "file": SimpleUploadedFile(name, content)})


def add(user: User, one: MilestoneSettlement, name: str = "pod.pdf", content: bytes = PDF) -> Evidence:
    added = evidence.add(
        one.pk, file=BytesIO(content), name=name, description="signed", officer=as_officer(user), now=timezone.now()
    )
    return Evidence.objects.get(pk=added.evidence_id)


def nothing_written(folder: Path) -> bool:
    written = Evidence.objects.exists() or AuditEvent.objects.filter(action=audit.EVIDENCE_ADDED).exists()
    return not written and files(folder) == []


def test_a_file_is_kept_privately_under_its_hash_and_told_of(officer, place):
    one = waiting()
    assert upload(officer, one).status_code == 302
    row = Evidence.objects.get()
    digest = hashlib.sha256(PDF).hexdigest()
    assert (row.name, row.size, row.sha256, row.media_type) == ("pod.pdf", len(PDF), digest, "application/pdf")
    (file,) = files(place)
    assert file.read_bytes() == PDF
    assert file.name == digest
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.stat().st_mode) == stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    told = AuditEvent.objects.get(action=audit.EVIDENCE_ADDED)
    assert told.data == {"name": "pod.pdf", "size": len(PDF), "sha256": digest}
    assert (told.reason, told.triggered_by, told.settlement_id) == ("signed", "user:olga", one.pk)
    shown = logged_in(officer).get(f"/admin/compliance/reviewqueue/{one.pk}/").content.decode()
    assert digest in shown
    assert "pod.pdf" in shown
    list(verify.everything())


def test_a_settlement_that_waits_no_more_takes_evidence_too(officer):
    one = waiting(score="0.1")
    assert one.status == "APPROVED"
    assert upload(officer, one).status_code == 302


@pytest.mark.parametrize("over", [0, 1])
def test_the_limit_holds_to_the_byte(officer, place, settings, over):
    settings.CHAINPAY_EVIDENCE_MAX_BYTES = 100_000
    one = waiting()
    answer = upload(officer, one, content=PDF.ljust(100_000 + over))
    assert answer.status_code == (400 if over else 302)
    assert nothing_written(place) == bool(over)
    if over:
        text = answer.content.decode()
        assert "larger than 100,000 bytes" in text
        assert "signed" in text


def test_the_writer_itself_reads_no_more_than_the_limit(officer, place, settings):
    settings.CHAINPAY_EVIDENCE_MAX_BYTES = 100
    endless = BytesIO(b"x" * 1_000)
    with pytest.raises(evidence.EvidenceRefused):
        evidence.add(
            waiting().pk,
            file=endless,
            name="a.txt",
            description="x",
            officer=as_officer(officer),
            now=timezone.now(),
        )
    assert endless.tell() == 101
    assert nothing_written(place)


def test_an_empty_file_is_refused(officer, place):
    answer = upload(officer, waiting(), content=b"")
    assert answer.status_code == 400
    assert "The file is empty" in answer.content.decode()
    assert nothing_written(place)


@pytest.mark.parametrize(
    ("name", "content", "media_type"),
    [
        ("a.pdf", PDF, "application/pdf"),
        ("A.PDF", PDF, "application/pdf"),
        ("a.png", PNG, "image/png"),
        ("a.jpg", JPEG, "image/jpeg"),
        ("a.jpeg", JPEG, "image/jpeg"),
        ("a.csv", "a;b\r\n1;2 €\r\n".encode(), "text/csv"),
        ("a.txt", b"\xef\xbb\xbfweight < 20 t, temperature > 4", "text/plain"),
        ("a.html.pdf", PDF, "application/pdf"),
    ],
)
def test_these_are_taken(name, content, media_type):
    assert type_of(name, content).media_type == media_type


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.pdf", PNG),
        ("a.png", PDF),
        ("a.jpg", b"GIF89a"),
        ("a.pdf", b"<html>" + PDF),
        ("a.pdf.exe", PDF),
        ("a.pdf.html", PDF),
        ("a", PDF),
        ("pdf", PDF),
        ("a.html", b"hello"),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("a.txt", b"<svg onload=alert(1)>"),
        ("a.txt", b"hello <SCRIPT>alert(1)</SCRIPT>"),
        ("a.csv", b"x\n< script >"),
        ("a.txt", b"<!DOCTYPE html>"),
        ("a.txt", b"<?xml version='1.0'?>"),
        ("a.txt", b"{\\rtf1 hello}"),
        ("a.txt", b"\xff\xfeh\x00i\x00"),
        ("a.txt", b"a\x00b"),
        ("a.txt", PDF),
        ("a.txt", PNG),
        ("a.docm", b"PK\x03\x04"),
        ("a.csv", b"PK\x03\x04\xff"),
        ("a.xlsm", b"PK\x03\x04"),
    ],
)
def test_these_are_refused(name, content):
    with pytest.raises(EvidenceTypeRefused):
        type_of(name, content)


def test_a_refused_type_writes_nothing_and_says_why(officer, place):
    answer = upload(officer, waiting(), name="a.pdf", content=PNG)
    assert answer.status_code == 400
    assert "its content is not" in answer.content.decode()
    assert nothing_written(place)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("pod.pdf", "pod.pdf"),
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\papers\\pod.pdf", "pod.pdf"),
        ("invoice\u202efdp.txt", "invoicefdp.txt"),
        ("a\u200b\u2066b\u0000c\r\nd.pdf", "ab c d.pdf"),
        ("  .. pod .pdf ", "pod .pdf"),
        ("", "unnamed"),
        ("...", "unnamed"),
        ("x" * 300 + ".pdf", "x" * 146 + ".pdf"),
        ("Lieferschein Größe.pdf", "Lieferschein Größe.pdf"),
    ],
)
def test_names_are_shown_without_what_deceives(given, shown):
    assert shown_name(given) == shown


def test_a_path_in_a_name_leads_nowhere(officer, place):
    row = add(officer, waiting(), name="../../../outside.pdf")
    assert row.name == "outside.pdf"
    assert [file.parent.parent for file in files(place)] == [place]


def test_the_same_file_twice_is_told_as_already_there(officer, place):
    one, other = waiting(), waiting()
    assert upload(officer, one).status_code == 302
    answer = upload(officer, one, name="again.pdf")
    assert answer.status_code == 409
    assert "evidence of the settlement already, as pod.pdf" in answer.content.decode()
    assert upload(officer, other).status_code == 302
    assert Evidence.objects.count() == 2
    assert len(files(place)) == 1


def test_a_crash_between_file_and_row_leaves_a_file_only_and_the_next_try_succeeds(officer, place, monkeypatch):
    one = waiting()

    def crash(*args: object, **kwargs: object) -> None:
        raise RuntimeError("the lights went out")

    with monkeypatch.context() as patch:
        patch.setattr(audit, "record", crash)
        with pytest.raises(RuntimeError), transaction.atomic():
            add(officer, one)
    assert not Evidence.objects.exists()
    assert len(files(place)) == 1
    add(officer, one)
    call_command("verify_evidence", stdout=StringIO())


def test_a_file_that_can_not_be_finished_leaves_no_trace(officer, place, monkeypatch):
    one = waiting()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            add(officer, one)
    assert nothing_written(place)


def test_a_download_is_an_attachment_that_runs_nothing(officer):
    one = waiting()
    row = add(officer, one, name='a "b";\u20ac.pdf')
    answer = logged_in(officer).get(page(one, row))
    assert answer.content == PDF
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"].startswith("attachment; filename*=utf-8''a%20%22b%22%3B")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"].startswith("sandbox")
    assert "no-store" in answer["Cache-Control"]
    assert logged_in(officer).post(page(one, row)).status_code == 405


@pytest.mark.parametrize("damage", ["changed", "longer", "missing"])
def test_a_damaged_file_is_not_handed_out_and_the_log_says_so(officer, place, caplog, damage):
    one = waiting()
    row = add(officer, one)
    (file,) = files(place)
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(PDF.replace(b"1.7", b"1.4") if damage == "changed" else PDF + b" ")
    answer = logged_in(officer).get(page(one, row))
    assert answer.status_code == 500
    assert "is not the file that was uploaded" in answer.content.decode()
    assert PDF[:5] not in answer.content
    assert f"evidence {row.pk}: the file" in caplog.text
    with pytest.raises(CommandError, match=f"evidence {row.pk}"):
        call_command("verify_evidence", stdout=StringIO())


def test_verify_evidence_proves_what_is_there(officer):
    add(officer, waiting())
    said = StringIO()
    call_command("verify_evidence", stdout=said)
    assert said.getvalue().split()[0] == "1"


def test_a_file_belongs_to_its_settlement(officer):
    one, other = waiting(), waiting()
    row = add(officer, one)
    assert logged_in(officer).get(page(other, row)).status_code == 404


def test_only_those_who_may_annotate_upload_and_every_role_of_the_queue_downloads(staff, officer, place):
    one = waiting()
    row = add(officer, one)
    for role in Role:
        user = staff(role)
        assert logged_in(user).get(page(one, row)).status_code == 200
        before = Evidence.objects.count()
        may = role is not Role.AUDITOR
        assert upload(user, one, content=PDF + role.encode()).status_code == (302 if may else 403)
        assert Evidence.objects.count() == before + may
    nobody = staff(None)
    assert logged_in(nobody).get(page(one, row)).status_code == 403
    assert upload(nobody, one).status_code == 403


def test_a_file_sent_to_any_other_page_is_not_kept(officer, monkeypatch):
    kept: list[BytesIO] = []

    def buffer() -> BytesIO:
        kept.append(BytesIO())
        return kept[-1]

    monkeypatch.setattr("compliance.uploads.BytesIO", buffer)
    one = waiting()
    where = f"/admin/compliance/reviewqueue/{one.pk}/hold/"
    answer = logged_in(officer).post(where, {"reason": "x", "file": SimpleUploadedFile("pod.pdf", PDF)})
    assert answer.status_code == 302
    assert kept == []


def test_rows_of_evidence_stay_as_they_are(officer):
    row = add(officer, waiting())
    for change in (lambda: Evidence.objects.filter(pk=row.pk).update(name="x.pdf"), row.delete):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()
