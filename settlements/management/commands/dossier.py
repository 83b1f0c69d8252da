"""`manage.py dossier INTENT [--output FILE]`: everything on record of a payment intent, for an auditor."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError
from django.utils import timezone

from settlements.archives import files
from settlements.dossier import making
from settlements.proof import keys, publishing


class Command(BaseCommand):
    """Writes one ZIP, and tells what an auditor needs beside it."""

    help = "Writes the dossier of a payment intent: a ZIP that an auditor checks with its verify.py and Python alone."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("intent", type=int, help="the number of the payment intent")
        parser.add_argument(
            "--archives", metavar="DIR", default="", help="where archived audit events lie, instead of the setting"
        )
        parser.add_argument("--output", default="", help="the file to write; it must not be there yet")

    def handle(self, *args: Any, **options: Any) -> None:
        """CommandError where there is nothing to hand out, or what is there contradicts itself."""
        if options["output"] and Path(options["output"]).exists():
            raise CommandError(f"{options['output']} is there already.")
        try:
            with files.lying_in(Path(options["archives"]).absolute() if options["archives"] else None):
                dossier = making.make(options["intent"], by="command:dossier", clock=timezone.now)
        except (making.NoSuchIntent, making.KeepsChanging, making.Contradicts) as refused:
            raise CommandError(str(refused)) from refused
        except (making.NotPublished, keys.NoKey, publishing.CopyDiffers) as refused:
            raise CommandError(str(refused)) from refused
        except IntegrityError as contradiction:
            raise CommandError(f"Nothing was signed: {contradiction}") from contradiction
        file = Path(options["output"] or dossier.file_name)
        try:
            with open(file, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as new:
                new.write(dossier.content)
        except OSError as trouble:
            raise CommandError(f"{file} can not be written: {trouble}") from trouble
        self.stdout.write(f"Wrote {file}, covered by checkpoint {dossier.checkpoint}.")
        self.stdout.write(f"SHA-256      {dossier.sha256}")
        self.stdout.write(f"fingerprint  {dossier.key}")
        self.stdout.write("Give the auditor the fingerprint by another way than the file.")
