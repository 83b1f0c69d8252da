"""Seals everything that is sealed under the newest key of CHAINPAY_ENCRYPTION_KEYS, so that older ones can go."""

import logging
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from chainpay.access.resealing import SecondFactors
from rails import resealing, sealing
from rails.destinations.resealing import Destinations
from rails.resealing import Place
from settlements.sources import SEALED as SOURCE_SECRETS
from settlements.subscribers import SEALED as SUBSCRIBER_SECRETS

logger = logging.getLogger(__name__)

# Whatever is sealed is listed here; a test compares it with the callers of `sealing.seal`.
PLACES: Final[tuple[Place[Any], ...]] = (Destinations(), SOURCE_SECRETS, SUBSCRIBER_SECRETS, SecondFactors())


class Command(BaseCommand):
    """May run at any time and again; killed, it is simply run again."""

    help = (
        "Seals account numbers, webhook secrets and second factors anew under the first key of "
        "CHAINPAY_ENCRYPTION_KEYS. Put the new key in front and restart everything first; when this says that "
        "nothing is left, the older keys can be taken out."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        left = []
        for place in PLACES:
            done = resealing.rotate(place)
            logger.warning("Sealed anew under key %s: %s, %s rows", sealing.key_id(), place.name, done.renewed)
            self.stdout.write(f"{place.name}: {done.renewed} sealed anew{_besides(done)}")
            if resealing.anything_left(place):
                left.append(place.name)
        if left:
            raise CommandError(
                f"Under older keys still: {', '.join(left)}. Keep those keys; run this again when every process has "
                "the new key, and see the log for what can not be read."
            )
        self.stdout.write(f"Nothing is left under a key other than {sealing.key_id()}.")


def _besides(done: resealing.Done) -> str:
    besides = [
        f"{number} {what}"
        for number, what in ((done.changed, "changed meanwhile"), (done.unreadable, "can not be read"))
        if number
    ]
    return "".join(f", {each}" for each in besides)
