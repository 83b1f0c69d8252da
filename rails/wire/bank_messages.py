"""What a bank's message says of our wires: status reports, notifications, statements and returns of ISO 20022.

Read: pain.002 (status of what we sent), camt.052, 053 and 054 (what was booked on our account), pacs.004 (a return).
Any version of them: the few elements that are read have kept their names. What is no wire of ours is passed over.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, Final

from lxml import etree

from rails.models import WireWord
from rails.money import Money, MoneyError

LONGEST_REASON: Final = 500
_NAMESPACE: Final = re.compile(
    r"urn:iso:std:iso:20022:tech:xsd:((pain\.002|camt\.05[234]|pacs\.004)\.001\.[0-9]{2})", re.ASCII
)
_OURS: Final = re.compile(r"CP-[1-9][0-9]{0,18}-[1-9][0-9]{0,4}", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,5})?", re.ASCII)
# What a status says of a payment (ISO 20022, ExternalPaymentTransactionStatus1Code); others say that it is on its way.
_FINAL: Final[Mapping[str, WireWord]] = MappingProxyType(
    {
        "ACSC": WireWord.CONFIRMED,
        "ACCC": WireWord.CONFIRMED,
        "RJCT": WireWord.REFUSED,
        "CANC": WireWord.REFUSED,
    }
)
# What is refused as a double says nothing of the first one, which may well be paid (ExternalStatusReason1Code).
_DOUBLES: Final = frozenset({"AM05", "DUPL", "DU01", "DU02", "DU03", "DU04", "DU05"})


class MessageFault(ValueError):
    """A message that can not be read, with the line of its first fault."""

    def __init__(self, reason: str, *, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One thing said of one wire, or of all wires of a file of ours (`file_message_id`)."""

    status: str
    end_to_end_id: str = ""
    file_message_id: str = ""
    proposes: WireWord | None = None
    bank_reference: str = ""
    amount: Money | None = None
    reason: str = ""
    booked_on: date | None = None


@dataclass(frozen=True, slots=True)
class BankMessage:
    """A message that was read whole."""

    kind: str
    message_id: str
    said: tuple[Said, ...]


def parse(content: bytes) -> BankMessage:
    """The message; raises MessageFault. No entity is expanded, nothing is fetched, no document type is taken."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise MessageFault("this is no well-formed XML", line=error.lineno or 1) from error
    if root.getroottree().docinfo.doctype:
        raise MessageFault("a message of ISO 20022 has no document type", line=1)
    name = etree.QName(root)
    kind = _NAMESPACE.fullmatch(name.namespace or "")
    if name.localname != "Document" or kind is None:
        raise MessageFault("this is no pain.002, camt.052, camt.053, camt.054 or pacs.004", line=root.sourceline)
    body = _Node(root, name.namespace)
    header = next(body.each("*/GrpHdr"), None)
    if header is None:
        raise MessageFault("the message has no group header", line=root.sourceline)
    said = tuple(_READERS[kind[2]](body))
    return BankMessage(kind[1], header.demand("MsgId"), said)


class _Node:
    """An element of the message's namespace, looked into by paths of plain names."""

    def __init__(self, element: Any, namespace: str) -> None:
        self.element = element
        self._namespace = namespace

    def each(self, path: str) -> "Iterator[_Node]":
        steps = (step if step == "*" else f"{{{self._namespace}}}{step}" for step in path.split("/"))
        return (_Node(found, self._namespace) for found in self.element.iterfind("/".join(steps)))

    def texts(self, *paths: str) -> list[str]:
        found = (" ".join((node.element.text or "").split()) for path in paths for node in self.each(path))
        return [text for text in found if text]

    def text(self, *paths: str) -> str:
        """The first that says something of several places."""
        return next(iter(self.texts(*paths)), "")

    def demand(self, *paths: str) -> str:
        text = self.text(*paths)
        if not text:
            raise self.fault(f"{paths[0]} is missing")
        return text

    def fault(self, reason: str) -> MessageFault:
        here = etree.QName(self.element).localname
        return MessageFault(f"{here}: {reason}", line=self.element.sourceline)

    def amount(self, path: str) -> Money:
        for node in self.each(path):
            text = (node.element.text or "").strip()
            try:
                if not _NUMBER.fullmatch(text):
                    break
                return Money.from_major(Decimal(text), node.element.get("Ccy", ""))
            except (MoneyError, InvalidOperation):
                break
        raise self.fault(f"{path} is no amount of a currency we know")

    def day(self, *paths: str) -> date | None:
        text = self.text(*paths)
        if not text:
            return None
        try:
            return date.fromisoformat(text[:10])
        except ValueError:
            raise self.fault(f"{paths[0]} is no date") from None


def _status_report(body: _Node) -> Iterator[Said]:
    """pain.002: of single payments if it names any, else of the whole file."""
    for report in body.each("*"):
        single = False
        for status in report.each("OrgnlPmtInfAndSts/TxInfAndSts"):
            single = True
            yield from _status_of_one(status)
        if single:
            continue
        for group in report.each("OrgnlGrpInfAndSts"):
            of_the_batch = next(report.each("OrgnlPmtInfAndSts"), None)
            word = group.text("GrpSts") or (of_the_batch.demand("PmtInfSts") if of_the_batch else "")
            if not word:
                raise group.fault("GrpSts is missing")
            yield Said(
                status=word,
                file_message_id=group.demand("OrgnlMsgId"),
                proposes=_proposed(word, group, of_the_batch),
                reason=_reason(group, "StsRsnInf") or (_reason(of_the_batch, "StsRsnInf") if of_the_batch else ""),
                bank_reference=_message_id(body) if word in _FINAL else "",
            )


def _status_of_one(status: _Node) -> Iterator[Said]:
    reference = status.text("OrgnlEndToEndId")
    if _OURS.fullmatch(reference):
        word = status.demand("TxSts")
        yield Said(
            status=word,
            end_to_end_id=reference,
            proposes=_proposed(word, status),
            bank_reference=status.text("AcctSvcrRef", "ClrSysRef", "StsId"),
            reason=_reason(status, "StsRsnInf"),
            booked_on=status.day("AccptncDtTm"),
        )


def _bookings(body: _Node) -> Iterator[Said]:
    """camt.052, 053 and 054: a debit says that the wire went out, a credit under its reference that it came back."""
    for entry in body.each("*/*/Ntry"):
        for details in entry.each("NtryDtls/TxDtls"):
            reference = details.text("Refs/EndToEndId")
            if not _OURS.fullmatch(reference):
                continue
            booked = entry.demand("Sts/Cd", "Sts") == "BOOK"
            side = details.text("CdtDbtInd") or entry.demand("CdtDbtInd")
            back = side == "CRDT"
            proposes = (WireWord.RETURNED if back else WireWord.CONFIRMED) if booked else None
            yield Said(
                status=f"{'booked' if booked else 'not booked yet'}: {'credit' if back else 'debit'}",
                end_to_end_id=reference,
                proposes=proposes,
                bank_reference=details.text("Refs/AcctSvcrRef") or entry.text("AcctSvcrRef"),
                amount=details.amount("Amt") if details.text("Amt") else entry.amount("Amt"),
                reason=_reason(details, "RtrInf"),
                booked_on=entry.day("BookgDt/Dt", "BookgDt/DtTm"),
            )


def _returns(body: _Node) -> Iterator[Said]:
    for back in body.each("*/TxInf"):
        reference = back.text("OrgnlEndToEndId")
        if _OURS.fullmatch(reference):
            yield Said(
                status="returned",
                end_to_end_id=reference,
                proposes=WireWord.RETURNED,
                bank_reference=back.text("RtrId"),
                amount=back.amount("RtrdIntrBkSttlmAmt"),
                reason=_reason(back, "RtrRsnInf"),
                booked_on=back.day("IntrBkSttlmDt"),
            )


def _proposed(status: str, *told_by: _Node | None) -> WireWord | None:
    """The word a status speaks for; a double speaks for none."""
    codes = {code for node in told_by if node is not None for code in node.texts("StsRsnInf/Rsn/Cd")}
    return None if codes & _DOUBLES else _FINAL.get(status)


def _reason(node: _Node, place: str) -> str:
    """The code and what is said beside it: "AC04 the account is closed"."""
    codes = node.texts(f"{place}/Rsn/Cd", f"{place}/Rsn/Prtry")
    words = node.texts(f"{place}/AddtlInf")
    return " ".join([*codes, *words])[:LONGEST_REASON]


def _message_id(body: _Node) -> str:
    return body.text("*/GrpHdr/MsgId")


_READERS: Final[Mapping[str, Callable[[_Node], Iterator[Said]]]] = MappingProxyType(
    {
        "pain.002": _status_report,
        "camt.052": _bookings,
        "camt.053": _bookings,
        "camt.054": _bookings,
        "pacs.004": _returns,
    }
)
