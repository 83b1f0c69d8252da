"""Breaking a transfer off so that whoever downloads can not take a part for the whole.

granian ends an answer in chunks properly even when the application raises in the middle of it, and it tells no
application its socket. So that connection of this process to the client is shut down which was the only one when the
answer began. Behind a proxy all clients are one peer, and a browser holds several connections: among several none is
chosen, for it might carry another's answer. What is not found (another system, a socket without a peer) stays open.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

_DESCRIPTORS: Final = Path("/proc/self/fd")


class Severing:
    """The connection over which an answer goes that begins now, to a client at `peer`, from our `port`."""

    def __init__(self, *, peer: str, port: str) -> None:
        self._peer, self._port = peer, port
        found = [inode for inode, _ in self._connections()]
        self._inode = found[0] if len(found) == 1 else None

    def sever(self) -> bool:
        """Shuts it down; False if it is not known which it is, or it is gone."""
        for inode, descriptor in self._connections():
            if inode == self._inode:
                with suppress(OSError), closing(socket.socket(fileno=os.dup(descriptor))) as connection:
                    connection.shutdown(socket.SHUT_RDWR)
                    return True
        return False

    def _connections(self) -> Iterator[tuple[int, int]]:
        """The inode and the descriptor of each to the client."""
        if not _DESCRIPTORS.is_dir():
            return
        for entry in _DESCRIPTORS.iterdir():
            with suppress(OSError):
                inode, descriptor = os.stat(entry).st_ino, int(entry.name)
                if not os.readlink(entry).startswith("socket:"):
                    continue
                with closing(socket.socket(fileno=os.dup(descriptor))) as found:
                    to_the_client = self._leads_to_the_client(found)
                if to_the_client:
                    yield inode, descriptor

    def _leads_to_the_client(self, found: socket.socket) -> bool:
        if found.family not in {socket.AF_INET, socket.AF_INET6} or found.type != socket.SOCK_STREAM:
            return False
        return _plain(found.getpeername()[0]) == _plain(self._peer) and str(found.getsockname()[1]) == self._port


def _plain(address: str) -> str:
    return address.removeprefix("::ffff:")
