"""`make check`: everything a machine can say about the code without running its tests. One line per check."""

import subprocess
import sys
import time

# The embedded database is migrated by nobody here: each check must do without its tables.
CHECKS: dict[str, tuple[str, ...]] = {
    "ruff check": ("-m", "ruff", "check", "."),
    "ruff format": ("-m", "ruff", "format", "--check", "."),
    "mypy": ("-m", "mypy", "."),
    "import-linter": ("-c", "from importlinter.cli import lint_imports_command as lint; lint()"),
    "migrations": ("manage.py", "makemigrations", "--check", "--dry-run"),
    "traffic": ("manage.py", "safe_migrations"),
    "schema": ("manage.py", "schema_file", "--check"),
    "docs of states": ("manage.py", "states_doc", "--check"),
    "docs of errors": ("manage.py", "errors_doc", "--check"),
    "docs of exports": ("manage.py", "exports_doc", "--check"),
    "docs of reports": ("manage.py", "reporting_doc", "--check"),
    "deployment": ("manage.py", "check", "--deploy", "--fail-level", "WARNING"),
}


def main() -> int:
    """Runs every check, shows the output of those that fail; 1 if any did."""
    failed = [name for name, words in CHECKS.items() if not _passes(name, words)]
    print(f"make check: {', '.join(failed)} failed" if failed else f"make check: {len(CHECKS)} checks, all well")
    return 1 if failed else 0


def _passes(name: str, words: tuple[str, ...]) -> bool:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    verdict = "failed" if done.returncode else "ok"
    print(f"{name:<15} {verdict} ({time.monotonic() - began:.1f} s)", flush=True)
    if done.returncode:
        print(done.stdout, flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
