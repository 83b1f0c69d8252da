"""Signed roots over the heads of all audit chains: append-only, each naming the one before it."""

import pgtrigger
from django.db import models
from django.db.models import Q

from rails.models.guards import Guard
from settlements.models import guards

CHAIN: Guard = Guard(
    name="checkpoints_are_chained",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    func=f"""
        IF NEW.number = 1 THEN
            IF NEW.prev_hash <> decode(repeat('00', 32), 'hex') THEN
                {guards.refuse("the first checkpoint follows nothing")}
            END IF;
        ELSIF NOT EXISTS (SELECT 1 FROM settlements_checkpoint c
                          WHERE c.number = NEW.number - 1 AND c.hash = NEW.prev_hash AND c.size <= NEW.size) THEN
            {guards.refuse("a checkpoint carries the hash of the one before it")}
        END IF;
        RETURN NEW;
    """,
)
# The heads are written first: once their checkpoint is there, none is added to it.
HEAD: Guard = Guard(
    name="a_chain_only_grows",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    declare=[("signed", "record")],
    func=f"""
        IF EXISTS (SELECT 1 FROM settlements_checkpoint c WHERE c.number >= NEW.checkpoint_id) THEN
            {guards.refuse("heads are written before their checkpoint is")}
        END IF;
        SELECT h.position, h.length INTO signed FROM settlements_checkpointhead h
        WHERE h.chain = NEW.chain ORDER BY h.checkpoint_id DESC LIMIT 1;
        IF FOUND AND (signed.position <> NEW.position OR signed.length >= NEW.length) THEN
            RAISE EXCEPTION 'chain % (0 is the office) has % events, but % were signed already',
                NEW.chain, NEW.length, signed.length USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    """,
)


class Checkpoint(models.Model):
    """A signed root: `size` leaves, one for each chain that there was (settlements/proof/checkpoints.py).

    `hash` is the SHA-256 of the signed body, `public_key` the Ed25519 key (32 bytes), `signature` its 64 bytes.
    """

    number = models.BigIntegerField(primary_key=True)
    created_at = models.DateTimeField()
    size = models.BigIntegerField()
    root = models.BinaryField(max_length=32)
    prev_hash = models.BinaryField(max_length=32)
    hash = models.BinaryField(max_length=32)
    public_key = models.BinaryField(max_length=32)
    signature = models.BinaryField(max_length=64)

    class Meta:
        ordering = ["-number"]
        constraints = [models.CheckConstraint(condition=Q(number__gte=1, size__gte=1), name="a_checkpoint_has_leaves")]
        triggers = [*guards.append_only(), CHAIN]

    def __str__(self) -> str:
        return f"checkpoint {self.number}"


class CheckpointHead(models.Model):
    """Where a chain stood at a checkpoint, if it had grown since the one before: `length` events, the last one's hash.

    `chain` is the intent's number, 0 for the office's chain; no foreign key, so that a head outlives what it is of.
    `position` is the leaf in the tree, the same in every checkpoint.
    """

    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.PROTECT, related_name="heads")
    position = models.BigIntegerField()
    chain = models.BigIntegerField()
    length = models.BigIntegerField()
    hash = models.BinaryField(max_length=32)

    class Meta:
        verbose_name = "chain head"
        constraints = [
            models.UniqueConstraint(fields=["chain", "checkpoint"], name="one_head_per_chain_and_checkpoint"),
            models.UniqueConstraint(fields=["position", "checkpoint"], name="one_head_per_position_and_checkpoint"),
            models.CheckConstraint(
                condition=Q(position__gte=0, chain__gte=0, length__gte=0), name="a_head_counts_from_nothing"
            ),
        ]
        triggers = [*guards.append_only(), HEAD]

    def __str__(self) -> str:
        return f"{f'intent {self.chain}' if self.chain else 'the office'} at checkpoint {self.checkpoint_id}"
