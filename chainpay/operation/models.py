"""What operation remembers: how tasks of the clock went, and what was counted so far."""

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from rails.models.guards import Guard, never_removed


def _never_less(*columns: str) -> Guard:
    """A counter never goes down, whoever writes it."""
    less = " OR ".join(f"NEW.{column} < OLD.{column}" for column in columns)
    return Guard(
        name="counters_never_go_down",
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        func=f"""
            IF {less} THEN
                RAISE EXCEPTION 'Counters of % never go down', TG_TABLE_NAME USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        """,
    )


class TaskRun(models.Model):
    """How the runs of one task of the clock went, in all; times are the database's. One writer: `operation.task_runs`.

    `seconds` is how long all that ended took together, `last_seconds` the last one. A run that was killed has begun
    and never ends.
    """

    task = models.TextField(primary_key=True)
    begun = models.BigIntegerField(default=0)
    succeeded = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    seconds = models.FloatField(default=0)
    last_seconds = models.FloatField(default=0)
    last_began_at = models.DateTimeField(null=True)
    last_succeeded_at = models.DateTimeField(null=True)
    last_failed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(task=""), name="a_task_has_a_name"),
            models.CheckConstraint(
                condition=Q(begun__gte=0, succeeded__gte=0, failed__gte=0, seconds__gte=0, last_seconds__gte=0),
                name="runs_are_counted_from_nothing",
            ),
        ]
        triggers = [_never_less("begun", "succeeded", "failed", "seconds"), *never_removed()]

    def __str__(self) -> str:
        return f"{self.task}: {self.succeeded} succeeded, {self.failed} failed"


class Count(models.Model):
    """How often something happened, since ever. One writer: `operation.tally`."""

    figure = models.TextField()
    labels = ArrayField(models.TextField())
    number = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["figure", "labels"], name="one_count_per_figure_and_labels"),
            models.CheckConstraint(condition=Q(number__gte=0), name="counted_from_nothing"),
        ]
        triggers = [_never_less("number"), *never_removed()]

    def __str__(self) -> str:
        return f"{self.figure} {self.labels}: {self.number}"


class CountedTo(models.Model):
    """Up to which row of a table all is counted, and how far the next look may go once older transactions have ended.

    `ahead_xid` is the first transaction id that had not been given when `ahead` was the last row.
    """

    source = models.TextField(primary_key=True)
    last = models.BigIntegerField(default=0)
    ahead = models.BigIntegerField(null=True)
    ahead_xid = models.BigIntegerField(null=True)
    ahead_at = models.DateTimeField(null=True)
    counted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(ahead=None, ahead_xid=None, ahead_at=None)
                | Q(ahead__isnull=False, ahead_xid__isnull=False, ahead_at__isnull=False),
                name="what_is_ahead_is_known_whole",
            ),
        ]
        triggers = [_never_less("last"), *never_removed()]

    def __str__(self) -> str:
        return f"{self.source} up to {self.last}"
