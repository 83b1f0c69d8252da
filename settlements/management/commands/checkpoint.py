"""`manage.py checkpoint`: seals new rows, signs where every chain stands, and publishes what is not published yet."""

import base64
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError
from django.utils import timezone

from settlements.management import integrations
from settlements.models import Checkpoint
from settlements.proof import checkpoints, keys, publishing, seals


class Command(BaseCommand):
    """What the beat does every CHAINPAY_CHECKPOINT_SECONDS, at once."""

    help = "Seals new rows, signs the heads of all chains, unless none has grown, and writes out what is not published."

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints the newest checkpoint; CommandError where nothing can be signed, or history contradicts it."""
        try:
            seals.seal_new(actor=integrations.actor(), now=timezone.now())
            made = checkpoints.make(now=timezone.now())
            publishing.publish()
        except (keys.NoKey, publishing.CopyDiffers) as trouble:
            raise CommandError(str(trouble)) from trouble
        except OSError as trouble:
            raise CommandError(f"The checkpoints can not be published: {trouble}") from trouble
        except IntegrityError as contradiction:
            raise CommandError(f"Nothing was signed: {contradiction}") from contradiction
        self._tell(made or checkpoints.newest(), new=made is not None)

    def _tell(self, checkpoint: Checkpoint | None, *, new: bool) -> None:
        if checkpoint is None:
            return
        public_key = bytes(checkpoint.public_key)
        self.stdout.write(f"{'Made' if new else 'Nothing is new since'} checkpoint {checkpoint.number}.")
        self.stdout.write(f"root        {bytes(checkpoint.root).hex()} over {checkpoint.size} chains")
        self.stdout.write(f"signed by   {keys.fingerprint(public_key)}")
        self.stdout.write(f"public key  {base64.b64encode(public_key).decode()}")
        self.stdout.write(f"published   in {publishing.directory()}")
