"""Journal postings: what was booked, from which account to which."""

from typing import Final

from rails.accounts import AccountCode
from rails.models.journal import EntryKind
from rails.money import EXPONENTS
from settlements.exports.columns import amount, number, text, time, word
from settlements.exports.datasets import Dataset, ListOfRows, register
from settlements.exports.filters import Filter, first_day, last_day, of_number, of_text, of_words
from settlements.permissions import Scope


def _either_account(name: str, column: str, words: tuple[str, ...], says: str) -> Filter:
    """A posting touches two accounts; one that fits is enough."""
    one = of_words(name, column, words, says)
    return Filter(name=name, says=says, sql=f"%s IN (d.{column}, c.{column})", read=one.read, words=one.words)


POSTINGS: Final = register(
    Dataset(
        name="postings",
        version=1,
        title="Journal postings",
        says="One line per posting: an amount from the credited to the debited account, with the entry it belongs to.",
        scope=Scope.AUDIT_READ,
        table="rails_posting g",
        source="""
            rails_posting g
            JOIN rails_journalentry j ON j.id = g.entry_id
            JOIN rails_account d ON d.id = g.debit_account_id
            JOIN rails_account c ON c.id = g.credit_account_id
            LEFT JOIN rails_recipient dr ON dr.id = d.recipient_id
            LEFT JOIN rails_recipient cr ON cr.id = c.recipient_id
            LEFT JOIN rails_journalentry back ON back.id = j.reverses_id
            LEFT JOIN rails_journalentry before ON before.id = j.follows_id
        """,
        key="g.id",
        base="SELECT g.id FROM rails_posting g JOIN rails_journalentry j ON j.id = g.entry_id"
        " JOIN rails_account d ON d.id = g.debit_account_id JOIN rails_account c ON c.id = g.credit_account_id",
        amount="g.amount_minor",
        currency="g.currency",
        columns=(
            number("posting_id", "g.id", "The posting."),
            number("entry_id", "g.entry_id", "The journal entry it belongs to."),
            text("entry_reference", "j.reference", "The entry's reference, unique."),
            word("kind", "j.kind", "What happened."),
            number("milestone_id", "j.milestone_id", "The settlement it is about; empty for fees and corrections."),
            number("attempt_number", "j.attempt_number", "The how-manyth attempt to pay it."),
            number("occurrence", "j.occurrence", "The how-manyth such entry of the attempt."),
            word("debit_account", "d.code", "The account that is debited."),
            word("debit_kind", "d.kind", "Its kind."),
            text("debit_recipient_id", "dr.recipient_id", "Whose it is; empty for the house's."),
            word("credit_account", "c.code", "The account that is credited."),
            word("credit_kind", "c.kind", "Its kind."),
            text("credit_recipient_id", "cr.recipient_id", "Whose it is; empty for the house's."),
            amount("amount", "g.amount_minor", "What is moved; never negative.", currency="g.currency"),
            word("currency", "g.currency", "ISO 4217."),
            time("posted_at", "g.posted_at", "As of when it is booked."),
            text("reverses", "back.reference", "The reference of the entry that this one takes back."),
            text("follows", "before.reference", "The reference of the return after which this one pays again."),
            text("description", "j.description", "What somebody noted."),
        ),
        filters=(
            first_day("g.posted_at"),
            last_day("g.posted_at"),
            of_words("kind", "j.kind", EntryKind.values, "Of this kind."),
            of_words("currency", "g.currency", EXPONENTS, "In this currency.", lower=False),
            _either_account("account", "code", tuple(AccountCode), "Debited or credited to this account."),
            of_text(
                "recipient_id",
                "(SELECT r.id FROM rails_recipient r WHERE r.recipient_id = %s) IN (d.recipient_id, c.recipient_id)",
                "Debited or credited to an account of this recipient; the id in full.",
            ),
            of_text("reference", "j.reference = %s", "Of the entry with this reference."),
            of_number("milestone_id", "j.milestone_id", "About this settlement."),
        ),
        lists=(
            ListOfRows(label="rails.posting", key="g.id"),
            ListOfRows(label="rails.journalentry", key="g.entry_id"),
        ),
    )
)
