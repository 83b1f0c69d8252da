"""Wires in the admin: looked up, and the bank's word taken down."""

from django.contrib import admin

from compliance.row_acts import ActingAdmin
from compliance.wire_acts import OF_WIRE
from rails.admin_wire import WireAdmin
from rails.models import WireEntry

admin.site.unregister(WireEntry)


@admin.register(WireEntry)
class WireActs(ActingAdmin, WireAdmin):
    """Each wire with the bank's words and evidence, and the acts."""

    acts = OF_WIRE
