"""A small disk of one's own: a tmpfs in a mount namespace that ends with the process, so that nothing is left of it.

Root may do so, and where the kernel lets ordinary users have namespaces, they may as well (user_namespaces(7)).
"""

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chainpay.embedded import identity

_CLONE_NEWNS: Final = 0x0002_0000
_CLONE_NEWUSER: Final = 0x1000_0000
_MS_REC, _MS_PRIVATE = 0x4000, 0x4_0000
_libc = ctypes.CDLL(None, use_errno=True)


class NoSmallDisk(Exception):
    """This user may not mount anything here, not even for itself."""


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A mounted file system of few bytes; the ballast fills it."""

    path: Path

    @property
    def _ballast(self) -> Path:
        return self.path / "ballast"

    def fill(self) -> None:
        """Leaves not a byte."""
        with open(self._ballast, "wb", buffering=0) as file:
            for piece in (b"\0" * 65_536, b"\0" * 4_096):
                while True:
                    try:
                        file.write(piece)
                    except OSError:
                        break

    def free(self) -> None:
        """Gives all of it back."""
        self._ballast.unlink(missing_ok=True)

    def directory(self, name: str) -> Path:
        """A directory on it, for the uid that the servers run as."""
        identity.own(self.path / name)
        return self.path / name


def enter_namespace() -> None:
    """Mounts of this process are its own from here on, and its children's. To be called before any thread is started.

    Raises NoSmallDisk.
    """
    uid, gid = os.getuid(), os.getgid()
    flags = _CLONE_NEWNS if uid == 0 else _CLONE_NEWNS | _CLONE_NEWUSER
    if _libc.unshare(flags) != 0:
        code = ctypes.get_errno()
        raise NoSmallDisk(f"no mount namespace for this user ({os.strerror(code)}): run it as root")
    if uid != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    _mount("none", Path("/"), "", _MS_REC | _MS_PRIVATE, "")


def mounted(path: Path, *, mebibytes: int) -> SmallDisk:
    """A new one at that path. Raises NoSmallDisk."""
    path.mkdir(parents=True, exist_ok=True)
    _mount("tmpfs", path, "tmpfs", 0, f"size={mebibytes}m,mode=0755")
    return SmallDisk(path)


def _mount(source: str, target: Path, kind: str, flags: int, options: str) -> None:
    if _libc.mount(source.encode(), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), options.encode()) != 0:
        raise NoSmallDisk(f"{target} can not be mounted ({os.strerror(ctypes.get_errno())}): run it as root")
