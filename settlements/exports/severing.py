"""Breaking a transfer off so that whoever downloads can not take a part for the whole.

granian ends an answer in chunks properly even when the application raises in the middle of it, and it tells no
application its socket. So among the connections of this process to that client the one is shut down that has carried
most since the answer began: this answer. What is not found (another system, a socket without a peer) stays open.
"""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

_DESCRIPTORS: Final = Path("/proc/self/fd")
# linux/tcp.h: struct tcp_info has tcpi_bytes_acked, 64 bits, behind 120 bytes.
_BYTES_ACKED: Final = 120
_INFO_LENGTH: Final = 128


class Severing:
    """The connections to one client as they were when an answer to it began."""

    def __init__(self, *, peer: str, port: str) -> None:
        self._peer, self._port = peer, port
        self._before = {inode: carried for inode, _, carried in self._connections()}

    def sever(self) -> bool:
        """Shuts down the connection that has carried most since; whether there was one."""
        grown = [
            (carried - self._before.get(inode, 0), descriptor) for inode, descriptor, carried in self._connections()
        ]
        if not grown:
            return False
        _, descriptor = max(grown)
        with suppress(OSError), closing(socket.socket(fileno=os.dup(descriptor))) as connection:
            connection.shutdown(socket.SHUT_RDWR)
            return True
        return False

    def _connections(self) -> Iterator[tuple[int, int, int]]:
        """The inode, the descriptor and the bytes delivered of each."""
        if not _DESCRIPTORS.is_dir():
            return
        for entry in _DESCRIPTORS.iterdir():
            with suppress(OSError):
                inode, descriptor = os.stat(entry).st_ino, int(entry.name)
                if not os.readlink(entry).startswith("socket:"):
                    continue
                with closing(socket.socket(fileno=os.dup(descriptor))) as found:
                    carried = self._carried(found)
                if carried is not None:
                    yield inode, descriptor, carried

    def _carried(self, found: socket.socket) -> int | None:
        """What a TCP connection to the client has delivered by now; None for anything else."""
        if found.family not in {socket.AF_INET, socket.AF_INET6} or found.type != socket.SOCK_STREAM:
            return None
        if _plain(found.getpeername()[0]) != _plain(self._peer) or str(found.getsockname()[1]) != self._port:
            return None
        info = found.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_LENGTH)
        return int(struct.unpack_from("=Q", info, _BYTES_ACKED)[0]) if len(info) == _INFO_LENGTH else 0


def _plain(address: str) -> str:
    return address.removeprefix("::ffff:")
