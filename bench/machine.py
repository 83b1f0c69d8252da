"""On what was it measured? Figures without their machine say nothing."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg

_PACKAGES = ("Django", "djangorestframework", "psycopg", "granian")
_SETTINGS = ("fsync", "synchronous_commit", "full_page_writes", "shared_buffers")


def facts(database_url: str) -> dict[str, Any]:
    """Processor, cores, kernel, versions and what decides how durable the database is, by name."""
    with psycopg.connect(database_url) as connection:
        settings = {name: _shown(connection, name) for name in _SETTINGS}
        postgresql = _shown(connection, "server_version")
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "kernel": f"{platform.system()} {platform.release()}",
        "postgresql": postgresql,
        "settings": settings,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
    }


def description(database_url: str) -> list[str]:
    """Processor, load, versions, and whether the database is durable, a line each."""
    found = facts(database_url)
    load = " ".join(f"{figure:.2f}" for figure in os.getloadavg())
    return [
        f"Machine     {found['processor']}, {found['cores']} cores, {found['kernel']}",
        f"Load        {load} before the start (1, 5, 15 minutes)",
        f"PostgreSQL  {found['postgresql']}: "
        + ", ".join(f"{name} {each}" for name, each in found["settings"].items()),
        f"Python      {found['python']}; " + ", ".join(f"{name} {each}" for name, each in found["packages"].items()),
    ]


def _shown(connection: psycopg.Connection[Any], name: str) -> str:
    row = connection.execute(f"SHOW {name}").fetchone()
    return str(row[0]) if row else "?"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()
