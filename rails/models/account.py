"""Where money is booked."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from rails.models.guards import append_only
from rails.models.recipient import Recipient
from rails.wording import in_words


class AccountKind(models.TextChoices):
    """The four kinds of accounts; assets and expenses grow on the debit side, the others on the credit side."""

    ASSET = "asset"
    LIABILITY = "liability"
    INCOME = "income"
    EXPENSE = "expense"


class Account(models.Model):
    """One account in one currency, of the house or of one recipient. Its balance is the sum of its postings."""

    code = models.TextField()
    kind = models.TextField(choices=AccountKind)
    currency = models.TextField()
    recipient = models.ForeignKey(
        Recipient, on_delete=models.PROTECT, null=True, related_name="accounts", db_index=False
    )
    opened_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["code", "currency", "recipient_id"]
        constraints = [
            models.UniqueConstraint(
                fields=["code", "currency", "recipient"], name="account_is_opened_once", nulls_distinct=False
            ),
            # What the postings' composite foreign keys point to.
            models.UniqueConstraint(fields=["id", "currency"], name="account_has_one_currency"),
            models.CheckConstraint(name="account_kind_is_known", condition=Q(kind__in=AccountKind.values)),
            models.CheckConstraint(name="account_currency_is_a_code", condition=Q(currency__regex="^[A-Z]{3}$")),
        ]
        indexes = [models.Index(fields=["recipient"], name="accounts_of_a_recipient")]
        triggers = append_only()

    def __str__(self) -> str:
        owner = f" of recipient {self.recipient_id}" if self.recipient_id else ""
        return f"{in_words(self.code)} {self.currency}{owner}"
