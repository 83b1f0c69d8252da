"""Settings out of files: what is a secret need not stand in the environment, which processes and logs show."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from django.core.exceptions import ImproperlyConfigured

SUFFIX: Final = "_FILE"
LONGEST: Final = 64 * 1024  # bytes


class SecretFiles(Mapping[str, str]):
    """The environment, in which `NAME_FILE` names a file that holds the value of `NAME`.

    A line break at the end of a file is not part of the value; an empty variable is one that is not set. Looking up
    raises ImproperlyConfigured when both are set or the file is of no use; it names the variable and the file, and
    never what is in it.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def __getitem__(self, name: str) -> str:
        file = "" if name.endswith(SUFFIX) else self._environment.get(name + SUFFIX, "")
        if not file:
            return self._environment[name]
        if self._environment.get(name):
            raise ImproperlyConfigured(f"{name} and {name}{SUFFIX} are both set: only one of them can be right.")
        return _content(name + SUFFIX, Path(file))

    def __iter__(self) -> Iterator[str]:
        return iter(self._environment)

    def __len__(self) -> int:
        return len(self._environment)


def _content(name: str, file: Path) -> str:
    """Raises ImproperlyConfigured."""
    try:
        with open(file, "rb") as opened:
            found = opened.read(LONGEST + 1)
        value = found.decode().rstrip("\r\n")
    except OSError as error:
        raise ImproperlyConfigured(f"{name} names {file}, which can not be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ImproperlyConfigured(f"{name} names {file}, which is not a text in UTF-8.") from None
    if len(found) > LONGEST:
        raise ImproperlyConfigured(f"{name} names {file}, which is larger than {LONGEST // 1024} KiB.")
    if not value.strip():
        raise ImproperlyConfigured(f"{name} names {file}, which is empty.")
    return value
