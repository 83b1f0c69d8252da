"""On what was it measured? Figures without their machine say nothing."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import psycopg

_PACKAGES = ("Django", "djangorestframework", "psycopg", "granian")
_SETTINGS = ("fsync", "synchronous_commit", "full_page_writes", "shared_buffers")


def description(database_url: str) -> list[str]:
    """Processor, load, versions, and whether the database is durable, a line each."""
    with psycopg.connect(database_url) as connection:
        server = connection.execute("SHOW server_version").fetchone()
        settings = [(name, connection.execute(f"SHOW {name}").fetchone()) for name in _SETTINGS]
    shown = ", ".join(f"{name} {row[0]}" for name, row in settings if row)
    load = " ".join(f"{figure:.2f}" for figure in os.getloadavg())
    return [
        f"Machine     {_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        f"Load        {load} before the start (1, 5, 15 minutes)",
        f"PostgreSQL  {server[0] if server else '?'}: {shown}",
        f"Python      {platform.python_version()}; " + ", ".join(f"{name} {version(name)}" for name in _PACKAGES),
    ]


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()
