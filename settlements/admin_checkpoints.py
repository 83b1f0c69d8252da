"""Checkpoints as staff look them up: what was signed, when and by which key; nothing is edited here."""

from typing import Any, ClassVar

from django.contrib import admin

from settlements.admin_columns import COLUMNS, SettlementsAdmin
from settlements.models import Checkpoint, CheckpointHead
from settlements.proof import keys
from settlements.proof.tree import OFFICE, leaf_text


def _hex(title: str, field: str) -> Any:
    @admin.display(description=title)
    def shown(row: Checkpoint) -> str:
        return bytes(getattr(row, field)).hex()

    shown.__name__ = f"{field}_in_hex"
    return shown


@admin.display(description="chains")
def chains(row: Checkpoint) -> str:
    """How many leaves the tree has."""
    return f"{row.size:,}"


@admin.display(description="root begins with")
def beginning(row: Checkpoint) -> str:
    """Enough of the root to tell it from others."""
    return bytes(row.root).hex()[:16]


@admin.display(description="key begins with")
def key_beginning(row: Checkpoint) -> str:
    """Enough of the key's fingerprint to tell it from others."""
    return key(row)[:16]


@admin.display(description="fingerprint of the key")
def key(row: Checkpoint) -> str:
    """What an auditor passes to `verify.py --key`."""
    return keys.fingerprint(bytes(row.public_key))


@admin.register(Checkpoint)
class CheckpointAdmin(SettlementsAdmin):
    columns = COLUMNS
    list_display = ["number", "created_at", chains, beginning, key_beginning]
    list_filter = ["created_at"]
    search_fields = ["number__exact"]
    search_help_text = "The number of a checkpoint"
    sortable_by = ["number"]
    ordering = ["-number"]
    fieldsets: ClassVar[Any] = [
        (None, {"fields": ["number", "created_at", chains, _hex("root", "root")]}),
        ("Signed", {"fields": [key, _hex("public key", "public_key"), _hex("signature", "signature")]}),
        ("Its place", {"fields": [_hex("hash", "hash"), _hex("hash of the one before", "prev_hash")]}),
    ]
    readonly_fields: ClassVar[Any] = [name for _, options in fieldsets for name in options["fields"]]


@admin.display(description="chain")
def chain(row: CheckpointHead) -> str:
    """The intent, or the office."""
    return f"intent {row.chain}" if row.chain != OFFICE else "office"


@admin.display(description="leaf")
def leaf(row: CheckpointHead) -> str:
    """As it is hashed."""
    return leaf_text(row.chain, row.length, bytes(row.hash)).decode()


@admin.display(description="events")
def events(row: CheckpointHead) -> str:
    """How many the chain had."""
    return f"{row.length:,}"


@admin.register(CheckpointHead)
class CheckpointHeadAdmin(SettlementsAdmin):
    columns = COLUMNS
    list_display = ["id", "checkpoint", chain, events, "position"]
    list_select_related = ["checkpoint"]
    search_fields = ["chain__exact"]
    search_help_text = "The number of a payment intent; 0 finds the office's chain"
    sortable_by = ["id"]
    ordering = ["-pk"]
    exclude = ["hash"]
    fields: ClassVar[Any] = ["checkpoint", chain, "length", "position", leaf]
    readonly_fields: ClassVar[Any] = fields
