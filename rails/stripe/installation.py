"""Which settlements are ours: a mark of this installation in all that Stripe keeps of them.

Settlements are counted from 1 in every database. Without the mark another database on the same Stripe account would
find our transfers when it looks its own settlements up, and take them for paid.
"""

import secrets

from rails.models import StripeInstallation


def mark() -> str:
    """Twelve hexadecimal digits, made when they are first asked for and then kept with the books."""
    known = StripeInstallation.objects.values_list("mark", flat=True).first()
    if known is None:
        made = StripeInstallation(mark=secrets.token_hex(6))
        # Of two that ask at once for the first time the second finds what the first has made.
        StripeInstallation.objects.bulk_create([made], ignore_conflicts=True)
        known = StripeInstallation.objects.values_list("mark", flat=True).get()
    return known
