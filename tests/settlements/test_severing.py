"""A broken export cuts its own connection or none: behind a proxy the answers of strangers go to the same peer."""

import socket
from collections.abc import Callable, Iterator

import pytest

from settlements.exports.severing import Severing

Connect = Callable[[], socket.socket]


@pytest.fixture
def door() -> Iterator[tuple[str, Connect]]:
    """Our port, and how a client at 127.0.0.1 connects to it."""
    opened: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def connect() -> socket.socket:
            client = socket.create_connection(("127.0.0.1", port), timeout=5)
            opened.extend([client, server.accept()[0]])
            return client

        yield str(port), connect
        for each in opened:
            each.close()


def is_cut(client: socket.socket) -> bool:
    client.settimeout(0.2)
    try:
        return client.recv(1) == b""
    except TimeoutError:
        return False


def test_the_only_connection_of_the_client_is_cut(door: tuple[str, Connect]) -> None:
    port, connect = door
    client = connect()
    assert Severing(peer="127.0.0.1", port=port).sever()
    assert is_cut(client)


def test_of_two_connections_of_one_peer_neither_is_cut(door: tuple[str, Connect]) -> None:
    port, connect = door
    clients = [connect(), connect()]
    assert not Severing(peer="127.0.0.1", port=port).sever()
    assert not any(is_cut(client) for client in clients)


def test_one_that_came_later_is_not_mistaken_for_it(door: tuple[str, Connect]) -> None:
    port, connect = door
    first = connect()
    severing = Severing(peer="127.0.0.1", port=port)
    second = connect()
    assert severing.sever()
    assert is_cut(first)
    assert not is_cut(second)


def test_nor_is_one_that_is_left_when_it_was_not_known_which(door: tuple[str, Connect]) -> None:
    port, connect = door
    nobody = Severing(peer="127.0.0.1", port=port)
    client = connect()
    assert not nobody.sever()
    assert not is_cut(client)
