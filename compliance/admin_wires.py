"""Wires in the admin: looked up, and the bank's word taken down."""

from django.contrib import admin

from compliance.ach_acts import OF_QUARANTINED
from compliance.lost_file_acts import OF_LOST
from compliance.row_acts import ActingAdmin
from compliance.wire_acts import OF_WIRE
from rails.admin_wire import WireAdmin, WireFileAdmin, WireMessageAdmin
from rails.models import WireEntry, WireFile, WireMessage

for registered in (WireEntry, WireFile, WireMessage):
    admin.site.unregister(registered)


@admin.register(WireEntry)
class WireActs(ActingAdmin, WireAdmin):
    """Each wire with the bank's words and evidence, and the acts."""

    acts = OF_WIRE


@admin.register(WireFile)
class WireFileActs(ActingAdmin, WireFileAdmin):
    """Files for the bank, which people judge when the outbox has lost one."""

    acts = OF_LOST


@admin.register(WireMessage)
class WireMessageActs(ActingAdmin, WireMessageAdmin):
    """The bank's messages, which somebody deals with if they are quarantined."""

    acts = OF_QUARANTINED
