"""The journal: what was booked, once, for ever."""

import pgtrigger
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now, TruncDate

from rails.models.account import Account
from rails.models.guards import Guard, append_only

# The same fact written again is for the unique indexes to find, so it is not summed up with itself.
_ANOTHER = """reference <> NEW.reference AND (milestone_id IS DISTINCT FROM NEW.milestone_id
            OR (kind, attempt_number, occurrence) <> (NEW.kind, NEW.attempt_number, NEW.occurrence))"""

# What is taken back is locked and summed up, so that two who take back at once see each other; a release that follows
# pays out at most what came back. Hence released minus returned never exceeds the first release of the milestone.
_LINKS_CARRY_NO_MORE = f"""
    SELECT * INTO earlier FROM rails_journalentry WHERE id = COALESCE(NEW.reverses_id, NEW.follows_id)
        FOR NO KEY UPDATE;
    IF earlier.id IS NULL THEN
        RAISE EXCEPTION 'Entry %: what it refers to does not exist', NEW.reference USING ERRCODE = 'check_violation';
    END IF;
    expected := CASE WHEN NEW.follows_id IS NOT NULL THEN 'return' ELSE CASE NEW.kind
        WHEN 'return' THEN 'release' WHEN 'transfer_return' THEN 'transfer' WHEN 'payout_return' THEN 'payout'
        WHEN 'receivable_return' THEN 'receivable' WHEN 'surplus_return' THEN 'surplus'
        ELSE 'correction' END END;
    IF earlier.kind <> expected OR (NEW.follows_id IS NULL AND earlier.attempt_number <> NEW.attempt_number) THEN
        RAISE EXCEPTION 'Entry %: a % can not refer to a %', NEW.reference, NEW.kind, earlier.kind
            USING ERRCODE = 'check_violation';
    END IF;
    SELECT COALESCE(SUM(amount_minor), 0) INTO back FROM rails_journalentry
        WHERE reverses_id = COALESCE(NEW.reverses_id, earlier.reverses_id) AND {_ANOTHER};
    room := CASE WHEN NEW.follows_id IS NOT NULL THEN back ELSE earlier.amount_minor - back END;
    IF earlier.milestone_id IS DISTINCT FROM NEW.milestone_id OR earlier.currency <> NEW.currency
        OR NEW.amount_minor > room THEN
        RAISE EXCEPTION 'Entry %: not more, no other currency and no other milestone than entry %',
            NEW.reference, earlier.reference USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
"""

# Money on its way is what was released, and what is paid out of it, or comes back from there, is money on its way.
_ON_ITS_WAY = f"""
    SELECT * INTO released FROM rails_journalentry WHERE milestone_id = NEW.milestone_id AND kind = 'release'
        AND attempt_number = NEW.attempt_number FOR NO KEY UPDATE;
    SELECT COALESCE(SUM(CASE kind WHEN 'transfer' THEN amount_minor WHEN 'payout_return' THEN amount_minor
        WHEN 'payout' THEN -amount_minor WHEN 'transfer_return' THEN -amount_minor END), 0)
        INTO on_its_way FROM rails_journalentry
        WHERE milestone_id = NEW.milestone_id AND attempt_number = NEW.attempt_number AND {_ANOTHER};
    room := CASE NEW.kind WHEN 'transfer' THEN released.amount_minor ELSE on_its_way END;
    IF released.id IS NULL OR released.currency <> NEW.currency OR NEW.amount_minor > room THEN
        RAISE EXCEPTION 'Entry %: a % moves no more than what is on its way', NEW.reference, NEW.kind
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
"""

# Owed is at most what was booked as returned: that the recipient has it after all, or that it came back once more.
_NO_MORE_THAN_CAME_BACK = f"""
    SELECT * INTO released FROM rails_journalentry WHERE milestone_id = NEW.milestone_id AND kind = 'release'
        AND attempt_number = NEW.attempt_number FOR NO KEY UPDATE;
    SELECT COALESCE(SUM(CASE kind WHEN 'return' THEN amount_minor WHEN NEW.kind THEN -amount_minor
        WHEN NEW.kind || '_return' THEN amount_minor END), 0)
        INTO room FROM rails_journalentry
        WHERE milestone_id = NEW.milestone_id AND attempt_number = NEW.attempt_number AND {_ANOTHER};
    IF released.id IS NULL OR released.currency <> NEW.currency OR NEW.amount_minor > room THEN
        RAISE EXCEPTION 'Entry %: a % is of no more than what came back', NEW.reference, NEW.kind
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
"""

_SUM_AT_COMMIT = """
    SELECT COALESCE(SUM(amount_minor), 0) INTO posted FROM rails_posting WHERE entry_id = NEW.id;
    IF posted <> NEW.amount_minor THEN
        RAISE EXCEPTION 'Entry % of % has postings of %', NEW.reference, NEW.amount_minor, posted
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
"""

# A day is closed when it is over, so what is booked into this one needs no look at the closed ones; an hour is for
# clocks that are set back. Of what is written while a day is being closed the lock on the table decides
# (closed_day.py), and a snapshot taken before would not see the day that was closed meanwhile.
_BOOKED_IN_AN_OPEN_DAY = """
    NEW.booked_on := (NEW.posted_at AT TIME ZONE 'UTC')::date;
    IF NEW.booked_on < ((clock_timestamp() + interval '1 hour') AT TIME ZONE 'UTC')::date THEN
        IF current_setting('transaction_isolation') <> 'read committed' THEN
            RAISE EXCEPTION 'Entry %: what is booked into an earlier day is written in READ COMMITTED', NEW.reference
                USING ERRCODE = 'check_violation';
        END IF;
        SELECT max(c.day) + 1 INTO first_open FROM rails_closedday c;
        NEW.booked_on := greatest(NEW.booked_on, first_open);
    END IF;
    RETURN NEW;
"""

# A finished entry is full, so a posting added later is one too many.
_NO_MORE_THAN_THE_ENTRY = """
    IF EXISTS (
        SELECT 1 FROM rails_journalentry entry WHERE entry.id = NEW.entry_id AND (
            entry.posted_at <> NEW.posted_at OR entry.amount_minor < (
                SELECT SUM(posting.amount_minor) FROM rails_posting posting WHERE posting.entry_id = entry.id
            )
        )
    ) THEN
        RAISE EXCEPTION 'Postings exceed their entry, or have another time' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
"""


class EntryKind(models.TextChoices):
    """What happened: money was released, went on its way, arrived, came back; a fee; or a booking is put right.

    RECEIVABLE: the recipient has what counted as returned, and owes it. SURPLUS: it came back once more, and we owe it.
    """

    RELEASE = "release"
    RETURN = "return"
    TRANSFER = "transfer"
    TRANSFER_RETURN = "transfer_return"
    PAYOUT = "payout"
    PAYOUT_RETURN = "payout_return"
    RECEIVABLE = "receivable"
    RECEIVABLE_RETURN = "receivable_return"
    SURPLUS = "surplus"
    SURPLUS_RETURN = "surplus_return"
    FEE = "fee"
    CORRECTION = "correction"


class JournalEntry(models.Model):
    """One business fact, booked once: (kind, milestone, attempt, the how-manyth of those). Amounts in minor units.

    `booked_on` is the day it counts in: that of `posted_at` in UTC, or the first open one where that is closed.
    """

    reference = models.TextField()
    kind = models.TextField(choices=EntryKind)
    milestone_id = models.BigIntegerField(null=True)
    attempt_number = models.IntegerField(default=1)
    occurrence = models.SmallIntegerField(default=1, db_default=1)
    currency = models.TextField()
    amount_minor = models.BigIntegerField()
    reverses = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="reversed_by", db_index=False
    )
    follows = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="followed_by", db_index=False)
    description = models.TextField(default="", blank=True)
    posted_at = models.DateTimeField()
    booked_on = models.DateField(db_default=TruncDate(Now()), editable=False)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "journal entries"
        constraints = [
            models.UniqueConstraint(fields=["reference"], name="entry_reference_is_unique"),
            models.UniqueConstraint(
                fields=["milestone_id", "kind", "attempt_number", "occurrence"], name="business_fact_is_booked_once"
            ),
            models.UniqueConstraint(
                fields=["milestone_id"],
                condition=Q(kind="release", follows__isnull=True),
                name="milestone_has_one_first_release",
            ),
            models.UniqueConstraint(
                fields=["reverses"],
                condition=Q(reverses__isnull=False, kind="correction"),
                name="correction_is_reversed_once",
            ),
            models.UniqueConstraint(
                fields=["follows"], condition=Q(follows__isnull=False), name="return_is_followed_once"
            ),
            # What the postings' composite foreign key points to.
            models.UniqueConstraint(fields=["id", "currency"], name="entry_has_one_currency"),
            models.CheckConstraint(name="entry_moves_something", condition=Q(amount_minor__gt=0)),
            models.CheckConstraint(
                name="entry_attempts_count_from_one", condition=Q(attempt_number__gte=1, occurrence__gte=1)
            ),
            models.CheckConstraint(
                name="released_and_sent_once_an_attempt",
                condition=Q(occurrence=1) | ~Q(kind__in=["release", "transfer"]),
            ),
            models.CheckConstraint(name="entry_has_a_reference", condition=~Q(reference="")),
            models.CheckConstraint(
                name="entry_kind_has_its_links",
                condition=Q(kind="release", milestone_id__isnull=False, reverses__isnull=True)
                | Q(
                    kind__in=["return", "transfer_return", "payout_return", "receivable_return", "surplus_return"],
                    milestone_id__isnull=False,
                    reverses__isnull=False,
                    follows__isnull=True,
                )
                | Q(
                    kind__in=["transfer", "payout", "receivable", "surplus"],
                    milestone_id__isnull=False,
                    reverses__isnull=True,
                    follows__isnull=True,
                )
                | Q(kind="fee", milestone_id__isnull=True, reverses__isnull=True, follows__isnull=True)
                | Q(kind="correction", milestone_id__isnull=True, follows__isnull=True),
            ),
        ]
        indexes = [
            BrinIndex(fields=["posted_at"], name="entries_by_time"),
            BrinIndex(fields=["booked_on"], pages_per_range=32, autosummarize=True, name="entries_by_day"),
            models.Index(fields=["reverses"], condition=Q(reverses__isnull=False), name="entries_that_take_back"),
        ]
        triggers = [
            Guard(
                name="booked_in_an_open_day",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                declare=[("first_open", "date")],
                func=_BOOKED_IN_AN_OPEN_DAY,
            ),
            Guard(
                name="links_carry_no_more",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                condition=pgtrigger.Condition("NEW.reverses_id IS NOT NULL OR NEW.follows_id IS NOT NULL"),
                declare=[
                    ("earlier", "rails_journalentry"),
                    ("expected", "text"),
                    ("back", "numeric"),
                    ("room", "numeric"),
                ],
                func=_LINKS_CARRY_NO_MORE,
            ),
            Guard(
                name="no_more_than_is_on_its_way",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                condition=pgtrigger.Condition("NEW.kind IN ('transfer', 'transfer_return', 'payout')"),
                declare=[("released", "rails_journalentry"), ("on_its_way", "numeric"), ("room", "numeric")],
                func=_ON_ITS_WAY,
            ),
            Guard(
                name="no_more_than_came_back",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                condition=pgtrigger.Condition("NEW.kind IN ('receivable', 'surplus')"),
                declare=[("released", "rails_journalentry"), ("room", "numeric")],
                func=_NO_MORE_THAN_CAME_BACK,
            ),
            Guard(
                name="postings_sum_to_the_entry",
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                timing=pgtrigger.Deferred,
                declare=[("posted", "numeric")],
                func=_SUM_AT_COMMIT,
            ),
            *append_only(),
        ]

    def __str__(self) -> str:
        return self.reference


class Posting(models.Model):
    """One amount from the credited account to the debited one: debits equal credits by construction.

    The foreign keys are composite, with the currency, and stand in the migration.
    """

    entry = models.ForeignKey(JournalEntry, on_delete=models.PROTECT, related_name="postings", db_constraint=False)
    debit_account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="debits", db_constraint=False, db_index=False
    )
    credit_account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="credits", db_constraint=False, db_index=False
    )
    currency = models.TextField()
    amount_minor = models.BigIntegerField()
    posted_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(name="posting_moves_something", condition=Q(amount_minor__gt=0)),
            models.CheckConstraint(name="posting_has_two_accounts", condition=~Q(debit_account=F("credit_account"))),
        ]
        indexes = [
            models.Index(fields=["debit_account", "posted_at"], name="debits_of_an_account"),
            models.Index(fields=["credit_account", "posted_at"], name="credits_of_an_account"),
        ]
        triggers = [
            Guard(
                name="postings_fit_their_entry",
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                func=_NO_MORE_THAN_THE_ENTRY,
            ),
            *append_only(),
        ]

    def __str__(self) -> str:
        return f"posting {self.pk}"
