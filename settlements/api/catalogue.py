"""Every code an answer may carry, from the places that define them: for docs/errors.md and for /docs/errors."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Final

from django.apps import AppConfig, apps
from django.conf import settings

from rails.money import REFUSED as REFUSED_MONEY
from settlements.api.codes import CODES, SUFFIXES
from settlements.api.errors import STATUS_OF_KIND
from settlements.refusals import known, sentence

INVALID: Final = 400
# What is run by hand or once; nothing there refuses a request.
_NEITHER: Final = frozenset({"migrations", "management"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One code, or one pattern of codes, with its statuses and its meaning."""

    code: str
    statuses: tuple[int, ...]
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Codes of one kind."""

    title: str
    says: str
    rows: tuple[Row, ...]


def sections() -> list[Section]:
    """The whole catalogue, each section in the order of its codes; one that both use stands with the domain's."""
    domain, interface = [*_of_domain(), *_of_money()], list(_of_interface())
    shared = {row.code for row in domain}
    return [
        Section(
            title="What was asked can not be done",
            says="Of the domain: the request was understood, and this is why it was refused.",
            rows=_merged([*domain, *(row for row in interface if row.code in shared)]),
        ),
        Section(
            title="The request itself is wrong",
            says="Of the interface: addresses, credentials, headers, limits.",
            rows=_merged([row for row in interface if row.code not in shared]),
        ),
        Section(
            title="A field, parameter or header is wrong",
            says="The field's name comes first, as in `reason_missing`; a header's with underscores, as in "
            "`webhook_id_invalid`; `field` says where.",
            rows=tuple(
                Row(code=f"<field>_{suffix}", statuses=(INVALID,), says=says) for suffix, says in SUFFIXES.items()
            ),
        ),
    ]


def _of_domain() -> Iterator[Row]:
    ours = [config for config in apps.get_app_configs() if Path(config.path).parent == Path(settings.BASE_DIR)]
    for config in ours:
        _import_all(config)
    names = {config.name for config in ours}
    for refusal in known():
        if refusal.__module__.partition(".")[0] in names:
            yield Row(code=refusal.code, statuses=(STATUS_OF_KIND[refusal.kind],), says=sentence(refusal))


def _import_all(config: AppConfig) -> None:
    """Which refusals are known depends on what was imported; the catalogue must not."""
    for module in walk_packages([config.path], prefix=f"{config.name}."):
        if module.name.split(".")[1] not in _NEITHER:
            import_module(module.name)


def _of_money() -> Iterator[Row]:
    for code, says in REFUSED_MONEY.items():
        yield Row(code=code, statuses=(INVALID,), says=says)


def _of_interface() -> Iterator[Row]:
    for name, code in CODES.items():
        yield Row(code=name, statuses=(code.status,), says=code.says)


def _merged(rows: list[Row]) -> tuple[Row, ...]:
    """One row per code: all its statuses, every sentence once."""
    by_code: dict[str, list[Row]] = {}
    for row in rows:
        by_code.setdefault(row.code, []).append(row)
    return tuple(
        Row(
            code=code,
            statuses=tuple(sorted({status for row in same for status in row.statuses})),
            says=" ".join(dict.fromkeys(row.says for row in same)),
        )
        for code, same in sorted(by_code.items())
    )
