"""Whoever edits messages, exports or office events with every guard asleep is found, each edit by its name."""

from datetime import timedelta
from typing import Any

from django.db import transaction

from settlements import office_log
from settlements.models import Export, OfficeEvent, ShipmentEvent
from settlements.office_log import OfficeAction, OfficeDraft
from tests.factories import now
from tests.settlements.edited import each_is_named
from tests.settlements.lived_in import World


def test_edits_of_messages(world: World) -> None:
    event = ShipmentEvent.objects.earliest("pk").pk
    update = f"UPDATE settlements_shipmentevent SET {{}} WHERE id = {event}"
    each_is_named(
        {
            "body": (
                update.format("body = replace(body, 'CONFIRMED', 'DENIED')"),
                f"shipment event {event}: its message",
            ),
            "hash": (update.format("body_hash = decode('ab', 'hex')"), f"shipment event {event}: its message"),
            "no JSON": (update.format("body = 'x'"), f"shipment event {event}: its message"),
            "shipment": (update.format("shipment_id = shipment_id + 1"), f"{event}"),
            "outcome": (
                update.format("settlements_created = 7"),
                f"shipment event {event}: it is said to have brought 7",
            ),
            "deleted": (f"DELETE FROM settlements_shipmentevent WHERE id = {event}", "settlement"),
        }
    )


def test_edits_of_exports_and_office_events(world: World) -> None:
    export = an_export()
    update = f"UPDATE settlements_export SET {{}} WHERE id = {export.pk}"
    last = OfficeEvent.objects.latest("sequence").sequence
    each_is_named(
        {
            "rows": (update.format("rows_done = 7, rows_total = 7"), f"export {export.pk}: it is of 7 rows"),
            "sha256": (update.format("sha256 = repeat('a', 64)"), f"export {export.pk}: it is of 2 rows"),
            "totals": (update.format("totals = '{\"USD\": \"1.00\"}'"), f"export {export.pk}: it is of 2 rows"),
            "actor": (update.format("actor = 'user:nobody'"), f"export {export.pk}: no office event tells"),
            "what was asked": (update.format("asked = '{}'"), f"export {export.pk}: no office event tells"),
            "deleted": (f"DELETE FROM settlements_export WHERE id = {export.pk}", "office event 1: it tells of export"),
            "an office event": (
                "UPDATE settlements_officeevent SET actor = 'user:nobody' WHERE sequence = 1",
                "office event 1: hash does not match its content",
            ),
            "the last office event": (
                f"DELETE FROM settlements_officeevent WHERE sequence = {last}", f"export {export.pk}: it is of 2 rows"
            ),
            "the first office event": (
                "DELETE FROM settlements_officeevent WHERE sequence = 1", "office event 1: missing, 2 follows"
            ),
        }
    )  # fmt: skip


def an_export() -> Export:
    """One export with both its office events, as `exports/records.py` writes them."""
    at, asked = now(), {"filters": {}, "list": "", "query": ""}
    export = Export.objects.create(
        dataset="settlements", version=1, delivery="STREAM", asked=asked, filter_words="everything", file_name="x.csv",
        actor="user:finance1", state="RUNNING", tries=1, created_at=at, started_at=at,
    )  # fmt: skip
    with transaction.atomic():
        _tell(OfficeAction.EXPORT_BEGUN, at, {"export": export.pk, "asked": asked})
    done = at + timedelta(seconds=1)
    figures: dict[str, Any] = {"rows": 2, "bytes": 9, "sha256": "0" * 64, "totals": {"USD": "12.50"}}
    with transaction.atomic():
        Export.objects.filter(pk=export.pk).update(
            state="SENT", rows_done=2, rows_total=2, bytes_done=9, totals={"USD": "12.50"}, sha256="0" * 64,
            finished_at=done,
        )  # fmt: skip
        _tell(OfficeAction.EXPORTED, done, {"export": export.pk, **figures})
    return export


def _tell(action: OfficeAction, at: Any, data: dict[str, Any]) -> None:
    office_log.record(OfficeDraft(action=action, subject="settlements", actor="user:finance1", data=data), now=at)
