"""What the clock starts for the officers; every task may run twice, late, or beside itself."""

from celery import shared_task
from django.utils import timezone

from compliance import digest, digest_mail


@shared_task(name="compliance.digest")  # type: ignore[untyped-decorator]
def tell_the_team() -> dict[str, int]:
    """Sends the digests that still wait, then writes what nobody was told of yet, and sends that."""
    sent = digest_mail.send_due(clock=timezone.now)
    written = digest.write(now=timezone.now())
    sent += digest_mail.send_due(clock=timezone.now)
    return {"written": int(written is not None), "sent": sent}
