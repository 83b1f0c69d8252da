"""The payment file itself: ISO 20022 CustomerCreditTransferInitiationV09 (pain.001.001.09), one debtor account."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from lxml import etree

from rails.money import Money
from rails.wire.configuration import DebtorAccount
from rails.wire.parties import BankAccount, Party
from rails.wire.transfers import Transfer

NAMESPACE: Final = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
_SCHEMA: Final = Path(__file__).with_name("schema") / "pain.001.001.09.xsd"


class NotValid(ValueError):
    """A file that does not keep to the schema; names elements and never what is in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Initiation:
    """What a file says: who pays out of which account on which day, and the transfers, all in its currency."""

    message_id: str
    created_at: datetime
    execution_date: date
    debtor: Party
    account: DebtorAccount
    transfers: Sequence[Transfer]

    @property
    def total(self) -> Money:
        """The sum of the transfers; raises CurrencyMismatch when one is in another currency."""
        return sum((each.amount for each in self.transfers), Money.zero(self.account.currency))


def write(initiation: Initiation) -> bytes:
    """The file, which is valid. Raises NotValid."""
    document = etree.Element(f"{{{NAMESPACE}}}Document", nsmap={None: NAMESPACE})
    root = _add(document, "CstmrCdtTrfInitn")
    _group_header(root, initiation)
    payment = _add(root, "PmtInf")
    _payment_information(payment, initiation)
    for transfer in initiation.transfers:
        _transfer(_add(payment, "CdtTrfTxInf"), transfer)
    schema = _schema()
    if not schema.validate(document):
        raise NotValid(f"not a valid pain.001.001.09 at {_places(schema.error_log)}")
    return bytes(etree.tostring(document, xml_declaration=True, encoding="UTF-8", pretty_print=True))


@cache
def _schema() -> Any:
    return etree.XMLSchema(etree.parse(str(_SCHEMA), etree.XMLParser(resolve_entities=False, no_network=True)))


def _places(log: Any) -> str:
    """Where it is wrong: the messages themselves repeat values, and those may be account numbers."""
    found = {str(error.path).replace("*/", "").rpartition("/*")[2] or f"line {error.line}" for error in log}
    return ", ".join(sorted(found))


def _add(parent: Any, name: str, text: str | None = None) -> Any:
    element = etree.SubElement(parent, f"{{{NAMESPACE}}}{name}")
    element.text = text
    return element


def _add_if_any(parent: Any, name: str, text: str) -> None:
    if text:
        _add(parent, name, text)


def _totals(parent: Any, initiation: Initiation) -> None:
    _add(parent, "NbOfTxs", str(len(initiation.transfers)))
    _add(parent, "CtrlSum", initiation.total.text)


def _group_header(root: Any, initiation: Initiation) -> None:
    header = _add(root, "GrpHdr")
    _add(header, "MsgId", initiation.message_id)
    _add(header, "CreDtTm", initiation.created_at.astimezone(UTC).isoformat(timespec="seconds"))
    _totals(header, initiation)
    _add(_add(header, "InitgPty"), "Nm", initiation.debtor.name)


def _payment_information(payment: Any, initiation: Initiation) -> None:
    _add(payment, "PmtInfId", f"{initiation.message_id}-1")
    _add(payment, "PmtMtd", "TRF")
    # Each wire is an entry of its own on the statement, found again by its reference.
    _add(payment, "BtchBookg", "false")
    _totals(payment, initiation)
    _add(_add(_add(payment, "PmtTpInf"), "SvcLvl"), "Cd", "URGP")
    _add(_add(payment, "ReqdExctnDt"), "Dt", initiation.execution_date.isoformat())
    _party(_add(payment, "Dbtr"), initiation.debtor)
    account = _add(payment, "DbtrAcct")
    _account_id(account, initiation.account.account)
    _add(account, "Ccy", initiation.account.currency)
    _agent(_add(payment, "DbtrAgt"), initiation.account.account)
    _add(payment, "ChrgBr", initiation.account.charges)


def _transfer(parent: Any, transfer: Transfer) -> None:
    ids = _add(parent, "PmtId")
    _add(ids, "InstrId", transfer.end_to_end_id)
    _add(ids, "EndToEndId", transfer.end_to_end_id)
    _add(ids, "UETR", str(transfer.uetr))
    amount = _add(_add(parent, "Amt"), "InstdAmt", transfer.amount.text)
    amount.set("Ccy", transfer.amount.currency)
    _agent(_add(parent, "CdtrAgt"), transfer.account)
    _party(_add(parent, "Cdtr"), transfer.creditor)
    _account_id(_add(parent, "CdtrAcct"), transfer.account)
    _add(_add(parent, "RmtInf"), "Ustrd", f"Freight {transfer.end_to_end_id}")


def _party(parent: Any, party: Party) -> None:
    """Structured, for addresses in lines alone are going out of use (CBPR+)."""
    _add(parent, "Nm", party.name)
    address = _add(parent, "PstlAdr")
    _add_if_any(address, "StrtNm", party.street)
    _add_if_any(address, "BldgNb", party.building_number)
    _add_if_any(address, "PstCd", party.postal_code)
    _add(address, "TwnNm", party.town)
    _add(address, "Ctry", party.country)


def _account_id(parent: Any, account: BankAccount) -> None:
    number = _add(parent, "Id")
    if account.is_iban:
        _add(number, "IBAN", account.number)
    else:
        _add(_add(number, "Othr"), "Id", account.number)


def _agent(parent: Any, account: BankAccount) -> None:
    """The bank by its BIC, or by its member id of the US clearing."""
    institution = _add(parent, "FinInstnId")
    if account.bic:
        _add(institution, "BICFI", account.bic)
    else:
        member = _add(institution, "ClrSysMmbId")
        _add(_add(member, "ClrSysId"), "Cd", "USABA")
        _add(member, "MmbId", account.routing_number)
