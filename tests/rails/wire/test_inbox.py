"""The bank's files: read once, kept as evidence, and hostile or broken ones put aside whole."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from rails import pickup
from rails.models import WireAnswer, WireEntry, WireEvidence, WireMessage
from rails.pickup import TAKEN, Kept, PickedUp
from rails.wire import bank_messages, inbox
from rails.wire.bank_messages import MessageFault, parse
from rails.wire.configuration import WireConfiguration
from tests.rails.wire.bank import order, paid, payee

pytestmark = pytest.mark.django_db

PAIN002 = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10">
  <CstmrPmtStsRpt>
    <GrpHdr><MsgId>B-1</MsgId><CreDtTm>2026-11-30T22:00:00</CreDtTm></GrpHdr>
    <OrgnlGrpInfAndSts>
      <OrgnlMsgId>{file}</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId>{group}
    </OrgnlGrpInfAndSts>
    {payments}
  </CstmrPmtStsRpt>
</Document>"""
STATUS = """<OrgnlPmtInfAndSts><OrgnlPmtInfId>P</OrgnlPmtInfId><TxInfAndSts>
  <OrgnlEndToEndId>{reference}</OrgnlEndToEndId><TxSts>{status}</TxSts>
  <StsRsnInf><Rsn><Cd>AC04</Cd></Rsn><AddtlInf>the account
     is closed</AddtlInf></StsRsnInf><AcctSvcrRef>BANK-7</AcctSvcrRef>
</TxInfAndSts></OrgnlPmtInfAndSts>"""
CAMT054 = """<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.054.001.08"><BkToCstmrDbtCdtNtfctn>
  <GrpHdr><MsgId>N-1</MsgId><CreDtTm>2026-12-01T22:00:00</CreDtTm></GrpHdr>
  <Ntfctn><Id>N-1</Id><Ntry><Amt Ccy="USD">70.00</Amt><CdtDbtInd>{side}</CdtDbtInd><Sts><Cd>{status}</Cd></Sts>
    <BookgDt><Dt>2026-12-01</Dt></BookgDt><AcctSvcrRef>IMAD-1</AcctSvcrRef>
    <NtryDtls><TxDtls><Refs><EndToEndId>{reference}</EndToEndId></Refs></TxDtls></NtryDtls>
  </Ntry></Ntfctn></BkToCstmrDbtCdtNtfctn></Document>"""


@pytest.fixture
def wire(wires: WireConfiguration) -> WireEntry:
    paid(order(1, payee()))
    return WireEntry.objects.get()


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    place = tmp_path / "inbox"
    place.mkdir(mode=0o700)
    return place


def put(bank: Path, content: str | bytes, name: str = "report.xml") -> Path:
    file = bank / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def look(bank: Path) -> int:
    return inbox.read(bank, whole_after=0).read


def said(bank: Path, content: str) -> list[WireEvidence]:
    put(bank, content)
    look(bank)
    assert WireMessage.objects.get().fault == ""
    return list(WireEvidence.objects.order_by("place"))


class TestWhatIsSaid:
    @pytest.mark.parametrize(
        ("status", "proposes"),
        [("ACCP", ""), ("ACSP", ""), ("PDNG", ""), ("ACSC", "CONFIRMED"), ("ACCC", "CONFIRMED"), ("RJCT", "REFUSED")],
    )
    def test_a_status_of_a_payment(self, wire: WireEntry, bank: Path, status: str, proposes: str) -> None:
        payments = STATUS.format(reference=wire.end_to_end_id, status=status)
        (row,) = said(bank, PAIN002.format(file="X", group="", payments=payments))
        assert row.entry == wire
        assert (row.status, row.proposes, row.bank_reference) == (status, proposes, "BANK-7")
        assert row.reason == "AC04 the account is closed"
        assert not WireAnswer.objects.exists()

    def test_a_status_of_a_whole_file(self, wire: WireEntry, bank: Path) -> None:
        group = "<GrpSts>RJCT</GrpSts><StsRsnInf><Rsn><Cd>FF01</Cd></Rsn></StsRsnInf>"
        (row,) = said(bank, PAIN002.format(file=wire.file.message_id, group=group, payments=""))
        assert (row.entry, row.status, row.proposes, row.reason) == (wire, "RJCT", "REFUSED", "FF01")

    @pytest.mark.parametrize(
        ("side", "status", "proposes"),
        [("DBIT", "BOOK", "CONFIRMED"), ("CRDT", "BOOK", "RETURNED"), ("DBIT", "PDNG", ""), ("CRDT", "INFO", "")],
    )
    def test_a_booking(self, wire: WireEntry, bank: Path, side: str, status: str, proposes: str) -> None:
        (row,) = said(bank, CAMT054.format(side=side, status=status, reference=wire.end_to_end_id))
        assert (row.entry, row.proposes, row.bank_reference) == (wire, proposes, "IMAD-1")
        assert (row.amount_minor, row.currency, str(row.booked_on)) == (7000, "USD", "2026-12-01")

    @pytest.mark.parametrize(
        ("side", "amount", "proposes"),
        [
            ("DBIT", "70.01", ""),
            ("DBIT", "69.99", ""),
            ("CRDT", "70.01", ""),
            ("CRDT", "20.00", "RETURNED"),
            ("DBIT", "70.00", "CONFIRMED"),
        ],
    )
    def test_a_debit_of_another_amount_speaks_for_nothing_and_a_return_may_be_a_part(
        self, wire: WireEntry, bank: Path, side: str, amount: str, proposes: str
    ) -> None:
        content = CAMT054.format(side=side, status="BOOK", reference=wire.end_to_end_id).replace("70.00", amount)
        (row,) = said(bank, content)
        assert row.proposes == proposes
        assert ("not the amount that was sent" in row.status) is (proposes == "")

    def test_of_a_wire_that_nobody_knows(self, wire: WireEntry, bank: Path) -> None:
        (row,) = said(bank, CAMT054.format(side="DBIT", status="BOOK", reference="CP-99-1"))
        assert (row.entry, row.end_to_end_id) == (None, "CP-99-1")

    @pytest.mark.parametrize("reference", ["NOTPROVIDED", "SALARY-7", "CP-1-1-1", "CP-0-1", "cp-1-1"])
    def test_what_is_no_wire_of_ours_is_passed_over(self, wire: WireEntry, bank: Path, reference: str) -> None:
        assert said(bank, CAMT054.format(side="DBIT", status="BOOK", reference=reference)) == []


class TestReadingOnce:
    def test_whatever_it_is_called_and_how_often_it_comes(self, wire: WireEntry, bank: Path) -> None:
        content = CAMT054.format(side="DBIT", status="BOOK", reference=wire.end_to_end_id)
        for name in ("a.xml", "b.xml", "a.xml", "c.txt"):
            put(bank, content, name)
            assert look(bank) == 1
        assert WireMessage.objects.count() == WireEvidence.objects.count() == 1
        assert {path.name for path in bank.iterdir()} == {TAKEN, Kept.DONE}

    def test_a_crash_before_it_was_moved_away_changes_nothing(
        self, wire: WireEntry, bank: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(bank, CAMT054.format(side="DBIT", status="BOOK", reference=wire.end_to_end_id))
        with monkeypatch.context() as crash:

            def dies(*arguments: Any) -> None:
                raise KeyboardInterrupt

            crash.setattr(pickup, "_put_away", dies)
            with pytest.raises(KeyboardInterrupt):
                look(bank)
        look(bank)
        assert WireMessage.objects.count() == WireEvidence.objects.count() == 1

    def test_a_file_that_is_still_written_waits(self, wire: WireEntry, bank: Path) -> None:
        file = put(bank, CAMT054)
        assert inbox.read(bank) == PickedUp(waiting=True)
        os.utime(file, (1, 1))
        assert inbox.read(bank).read == 1

    def test_it_is_kept_where_nobody_else_reads_it(self, wire: WireEntry, bank: Path) -> None:
        put(bank, CAMT054.format(side="DBIT", status="BOOK", reference=wire.end_to_end_id)).chmod(0o644)
        look(bank)
        (kept,) = (bank / Kept.DONE).iterdir()
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700

    def test_links_directories_and_hidden_files_are_left(self, bank: Path, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_text("x")
        (bank / "link.xml").symlink_to(secret)
        (bank / "directory").mkdir()
        put(bank, "x", ".hidden")
        os.mkfifo(bank / "pipe")
        assert look(bank) == 0
        assert secret.exists()

    def test_an_inbox_that_is_not_there_is_logged(self, bank: Path, caplog: pytest.LogCaptureFixture) -> None:
        assert look(bank / "gone") == 0
        assert "can not be opened" in caplog.text


LAUGHS = """<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "haha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">
<!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;"><!ENTITY f "&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;">]>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.054.001.08"><x>&f;&f;&f;&f;&f;&f;&f;</x></Document>"""
OUTSIDE = """<?xml version="1.0"?><!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.054.001.08"><x>&x;</x></Document>"""
GOOD = CAMT054.format(side="DBIT", status="BOOK", reference="CP-1-1")


class TestPuttingAside:
    @pytest.mark.parametrize(
        ("content", "line", "reason"),
        [
            ("", 1, "no well-formed XML"),
            ("no xml", 1, "no well-formed XML"),
            (GOOD[:200], 3, "no well-formed XML"),
            (b"\xff\xfe\x00", 1, "no well-formed XML"),
            ("<Document/>", 1, "no pain.002"),
            (GOOD.replace("camt.054.001.08", "pain.001.001.09"), 1, "no pain.002"),
            (GOOD.replace("<MsgId>N-1</MsgId>", ""), 2, "MsgId is missing"),
            (GOOD.replace('<Amt Ccy="USD">70.00</Amt>', ""), 3, "Amt is no amount"),
            (GOOD.replace("70.00", "-70.00"), 3, "Amt is no amount"),
            (GOOD.replace("70.00", "1e3"), 3, "Amt is no amount"),
            (GOOD.replace("70.00", "70.001"), 3, "Amt is no amount"),
            (GOOD.replace('Ccy="USD"', 'Ccy="XXX"'), 3, "Amt is no amount"),
            (GOOD.replace("<Sts><Cd>BOOK</Cd></Sts>", ""), 3, "Sts/Cd is missing"),
            (GOOD.replace("2026-12-01</Dt>", "2026-13-01</Dt>"), 3, "is no date"),
            (LAUGHS, None, ""),
            (OUTSIDE, None, ""),
        ],
    )
    def test_a_broken_or_hostile_file_is_put_aside_whole(
        self, wire: WireEntry, bank: Path, content: str | bytes, line: int | None, reason: str
    ) -> None:
        put(bank, content)
        look(bank)
        row = WireMessage.objects.get()
        assert reason in row.fault
        assert row.fault
        if line is not None:
            assert row.fault_line == line
        assert not WireEvidence.objects.exists()
        assert {path.name for path in bank.iterdir()} == {TAKEN, Kept.QUARANTINE}
        assert "root:" not in row.fault

    def test_one_wrong_payment_keeps_out_the_whole_file(self, wire: WireEntry, bank: Path) -> None:
        good = STATUS.format(reference=wire.end_to_end_id, status="ACSC")
        bad = STATUS.format(reference="CP-2-1", status="")
        put(bank, PAIN002.format(file="X", group="", payments=good + bad))
        look(bank)
        assert "TxSts is missing" in WireMessage.objects.get().fault
        assert not WireEvidence.objects.exists()

    def test_a_file_that_is_too_large_is_not_parsed(self, bank: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(inbox, "LARGEST", 100)
        put(bank, GOOD)
        look(bank)
        assert "larger than 100 bytes" in WireMessage.objects.get().fault

    def test_a_name_of_any_bytes_is_no_trouble(self, wire: WireEntry, bank: Path) -> None:
        name = os.fsencode(bank) + b"/\xff\xfe\n.xml"
        with open(name, "wb") as file:
            file.write(GOOD.encode())
        assert look(bank) == 1
        assert WireMessage.objects.get().fault == ""

    def test_the_fault_repeats_nothing_of_the_content(self, bank: Path) -> None:
        put(bank, GOOD.replace("70.00", "DE89370400440532013000"))
        look(bank)
        assert "DE89" not in WireMessage.objects.get().fault


def test_entities_are_not_expanded_even_inside() -> None:
    with pytest.raises(MessageFault):
        parse(LAUGHS.encode())
    with pytest.raises(MessageFault):
        parse(b"<!DOCTYPE Document>" + GOOD.encode())
    assert bank_messages.parse(GOOD.encode()).kind == "camt.054.001.08"
