"""As whom do the servers run? PostgreSQL refuses root, and root's directories refuse everybody else.

A checkout may lie below a directory only root may enter. Its mode is not ours to loosen; instead the server's
process keeps one capability, the smallest that lets it walk through (capabilities(7), "ambient").
"""

import ctypes
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from chainpay.embedded.refusal import CannotStart

NOBODY = 65534

_PR_SET_SECUREBITS = 28
_SECBIT_NO_SETUID_FIXUP = 4
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


class Capability(IntEnum):
    """From linux/capability.h; the weaker one first. Containers often grant root only the second."""

    DAC_READ_SEARCH = 2
    DAC_OVERRIDE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A user id and, rarely, one capability kept when changing to it."""

    uid: int
    capability: Capability | None = None

    def enter(self) -> Callable[[], None] | None:
        """What a new process must do before it becomes the server; None when it may stay who it is."""
        return None if self.uid == os.getuid() else lambda: become(uid=self.uid, capability=self.capability)


def own(directory: Path) -> None:
    """Makes `directory`, private to the uid the servers run as."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.getuid() == 0:
        os.chown(directory, NOBODY, NOBODY)
    directory.chmod(0o700)


def choose(*, programs: Iterable[Path], directories: Iterable[Path]) -> Identity:
    """Who may run these programs and use these directories: ourselves, or under root uid 65534.

    Raises CannotStart when uid 65534 can not reach them whatever we do.
    """
    if os.getuid() != 0:
        return Identity(uid=os.getuid())
    places = [*programs, *directories]
    kept: list[Capability | None] = [None, *(Capability if sys.platform == "linux" else ())]
    for capability in kept:
        if _reaches(Identity(uid=NOBODY, capability=capability), places):
            return Identity(uid=NOBODY, capability=capability)
    raise CannotStart(
        f"PostgreSQL does not run as root, and uid {NOBODY} can not reach {places[-1]}: "
        "move the checkout out of root's private directory, or run as an ordinary user."
    )


def become(*, uid: int, capability: Capability | None) -> None:
    """Turns this process, once root, into `uid` for good. Only system calls: it runs between fork and exec.

    Raises OSError when the kernel refuses.
    """
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    if capability is None:
        os.setresuid(uid, uid, uid)
        return
    # Capabilities outlive the change of uid, and count in access(2), with which PostgreSQL looks for its own programs.
    prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP)
    os.setresuid(uid, uid, uid)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    bit = 1 << capability
    # Effective, permitted, inheritable; the second three are for capabilities above 31.
    _call("capset", header, (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0))
    prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability)


def prctl(option: int, *arguments: int) -> None:
    """Linux's prctl(2), its missing arguments zero.

    Raises OSError when the kernel refuses.
    """
    words = (*arguments, 0, 0, 0, 0)[:4]
    _call("prctl", option, *map(ctypes.c_ulong, words))


def _reaches(identity: Identity, places: list[Path]) -> bool:
    """Asks the kernel itself, in a process that became that user."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            become(uid=identity.uid, capability=identity.capability)
            code = 0 if all(os.access(place, os.R_OK | os.X_OK) for place in places) else 1
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1] == 0


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), name)
