"""Stripe's events in the admin: looked up, and decided about where nobody could understand them."""

from django.contrib import admin

from compliance.row_acts import ActingAdmin
from compliance.stripe_acts import OF_EVENT
from rails.admin_stripe import StripeEventAdmin
from rails.models import StripeEvent

admin.site.unregister(StripeEvent)


@admin.register(StripeEvent)
class StripeEventActs(ActingAdmin, StripeEventAdmin):
    """Each event with what was decided about it, and the acts."""

    acts = OF_EVENT
