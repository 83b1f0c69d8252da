"""How the inbox writes a message: what became of it, when it came, and its body without secrets."""

from typing import Any

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from rails.admin_columns import tag
from rails.wording import in_words
from settlements import redaction
from settlements.models import ShipmentEvent
from settlements.statuses import EventState, EventType

MOST_SHOWN = 100
OUTCOMES = {
    EventState.PROCESSED: ("processed", ""),
    EventState.DUPLICATE: ("duplicate milestone", ""),
    EventState.PARKED: ("parked", "cp-held"),
    EventState.WAITING: ("waiting for the sweep", "cp-held"),
    EventState.FAILED: ("failed", "cp-alarm"),
}


@admin.display(description="outcome")
def outcome(row: ShipmentEvent) -> SafeString:
    """What became of the message, in words."""
    word, look = OUTCOMES[EventState(row.state)]
    if row.state == EventState.PROCESSED and row.event_type not in EventType.__members__:
        word = "stored only"
    return tag(word, look)


@admin.display(description="created")
def brought(row: Any) -> str:
    """How many settlements the event has brought so far, leading to them."""
    if not row.brought:
        return "-"
    address = reverse("admin:settlements_milestonesettlement_changelist")
    return format_html('<a href="{}?event__id__exact={}">{}</a>', address, row.pk, row.brought)


@admin.display(description="error")
def error(row: ShipmentEvent) -> str:
    """What went wrong last, without secrets."""
    return redaction.text(row.error) or "-"


@admin.display(description="outcome")
def outcome_and_error(row: ShipmentEvent) -> SafeString:
    """What became of the message, how often the sweep has tried, and how its last error begins."""
    lines = [f"{row.sweeps} sweep{'s' if row.sweeps > 1 else ''} so far"] if row.sweeps else []
    if row.error:
        words = error(row)
        lines.append(f"{words[:MOST_SHOWN]}…" if len(words) > MOST_SHOWN else words)
    return outcome(row) + format_html_join("", '<span class="cp-small cp-break">{}</span>', ((line,) for line in lines))


@admin.display(description="event type")
def event_type(row: ShipmentEvent) -> str:
    """The stored word in words."""
    return in_words(row.event_type)


@admin.display(description="received")
def received(row: ShipmentEvent) -> SafeString:
    """When, by our clock, and from which source."""
    written = '<span class="cp-nowrap">{} UTC</span><span class="cp-small">{}</span>'
    return format_html(written, f"{row.received_at:%Y-%m-%d %H:%M:%S}", row.source.name)


@admin.display(description="shipment")
def shipment(row: ShipmentEvent) -> SafeString:
    """Its reference, however long."""
    return format_html('<span class="cp-break">{}</span>', row.shipment.shipment_id)


@admin.display(description="settlements told to sender")
def told_to_sender(row: ShipmentEvent) -> int:
    """The number in the first answer, which every repeat gets again, whatever came later."""
    return row.settlements_created


@admin.display(description="body")
def body(row: ShipmentEvent) -> SafeString:
    """One value to a line; never what is secret."""
    return format_html('<pre class="cp-body">{}</pre>', redaction.pretty(row.body))


@admin.display(description="body as received")
def body_as_received(row: ShipmentEvent) -> SafeString:
    """In the layout of its sender; never what is secret."""
    return format_html('<pre class="cp-body">{}</pre>', redaction.as_received(row.body))


@admin.display(description="hash of the body")
def body_hash_in_hex(row: ShipmentEvent) -> str:
    """By which a repeat is known."""
    return bytes(row.body_hash).hex()
