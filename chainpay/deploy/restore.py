"""`python3 chainpay/deploy/restore.py BACKUP ARCHIVE MOMENT DATA`: a copy of a base backup that goes back to a moment.

DATA becomes the new data directory; nothing else is written, and nothing is started. Needs Python alone, and runs as
the user of the database's server. docs/backup.md says what comes before and after.
"""

import shutil
import sys
from datetime import datetime
from pathlib import Path


class CannotRestore(Exception):
    """What is wrong with what was asked for, in a sentence."""


def prepare(backup: Path, archive: Path, moment: datetime, data: Path) -> None:
    """Copies the backup and tells PostgreSQL how far to replay the archive. Raises CannotRestore."""
    if moment.tzinfo is None:
        raise CannotRestore("The moment needs an offset, such as 2026-11-29T13:09:10+00:00.")
    if not (backup / "backup_manifest").is_file():
        raise CannotRestore(f"{backup} is no base backup: it has no backup_manifest.")
    if not archive.is_dir() or not any(archive.iterdir()):
        raise CannotRestore(f"{archive} holds no WAL.")
    if data.exists():
        raise CannotRestore(f"{data} is there already; a restore never writes over data.")
    draft = data.with_name(f"{data.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(backup, draft, symlinks=True)
    quoted = str(archive.absolute()).replace("'", "''")
    settings = (
        "archive_mode = off",
        f'restore_command = \'cp "{quoted}/%f" "%p"\'',
        f"recovery_target_time = '{moment.isoformat(sep=' ')}'",
        "recovery_target_action = 'promote'",
    )
    with (draft / "postgresql.auto.conf").open("a") as file:
        file.write("".join(f"{line}\n" for line in settings))
    (draft / "recovery.signal").touch()
    draft.chmod(0o700)
    draft.rename(data)


def main() -> int:
    """0 when DATA is there; 1, with the reason, when it is not."""
    if len(sys.argv) != 5:
        print(__doc__, file=sys.stderr)
        return 2
    backup, archive, moment, data = sys.argv[1:]
    try:
        prepare(Path(backup), Path(archive), datetime.fromisoformat(moment), Path(data))
    except (CannotRestore, ValueError) as reason:
        print(reason, file=sys.stderr)
        return 1
    print(f"{data} goes back to {moment} when PostgreSQL is started on it. Then step 3 of docs/backup.md.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
