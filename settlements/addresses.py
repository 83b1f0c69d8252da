"""Which addresses we call: how a URL must be written, and which IP addresses its host may lead to."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

Address = IPv4Address | IPv6Address

LONGEST_URL: Final = 2_000
_LONGEST_HOST: Final = 253
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

# One pattern cuts the URL, and the request is built from the same pieces: no two readers can differ about its host.
_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?(?P<path>[/?][!-~]*)?",
    re.ASCII | re.IGNORECASE,
)
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII)
# What inet_aton would read as an IPv4 address or a part of one: decimal, octal or hexadecimal.
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)

# Beyond what `ipaddress` calls not global in every Python release (IANA's special-purpose address registries), and
# the one address outside them at which a cloud (Azure) answers its own machines alone.
_NOT_GLOBAL: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "2001::/23", "3fff::/20", "fec0::/10"),
        "168.63.129.16/32",
    )
)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_IPV4_BITS: Final = 2**32 - 1


class CallRefused(ValueError):
    """A URL or an address that we do not call; the text repeats nothing of the URL but its host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a URL leads: `host` in lower case without brackets, `path` with its query, as the request line has it."""

    scheme: str
    host: str
    port: int
    path: str
    literal: Address | None

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def target(url: str, *, private_allowed: bool) -> Target:
    """The pieces of a URL; raises CallRefused.

    https, or http where private addresses are allowed; an IPv4 address only as four plain numbers; no user name, no
    password, no fragment. Without `private_allowed` an address or a name of this very machine is refused here already;
    what other names lead to is for `judge` to say.
    """
    found = _pieces(url)
    scheme, host = found["scheme"].lower(), found["host"].lower()
    if scheme != "https" and not private_allowed:
        raise CallRefused("The URL must begin with https://.")
    port = int(found["port"] or _DEFAULT_PORTS[scheme])
    if not 1 <= port <= 65_535:
        raise CallRefused("The URL's port must be from 1 to 65535.")
    literal = _literal(host)
    if literal is not None:
        judge([literal], private_allowed=private_allowed)
    elif not private_allowed and (host == "localhost" or host.endswith(".localhost")):
        raise CallRefused("localhost is not reachable from everywhere and is not called.")
    path = found["path"] or "/"
    return Target(
        scheme=scheme,
        host=host.strip("[]"),
        port=port,
        path=path if path.startswith("/") else f"/{path}",
        literal=literal,
    )


def judge(addresses: Iterable[Address], *, private_allowed: bool) -> None:
    """Raises CallRefused if one of the addresses is not reachable from everywhere, unless that is allowed."""
    for address in addresses:
        if not private_allowed and not is_global(address):
            raise CallRefused(f"{address} is not reachable from everywhere and is not called.")


def is_global(address: Address) -> bool:
    """Whether an address is somebody's on the public internet; one that carries an IPv4 address is judged by that."""
    if isinstance(address, IPv6Address):
        carried = _carried(address)
        if carried is not None:
            return is_global(carried)
        if address.teredo is not None:
            return False
    return address.is_global and not (
        address.is_multicast
        or address.is_reserved
        or any(address.version == network.version and address in network for network in _NOT_GLOBAL)
    )


def _carried(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address behind a mapped, 6to4 or NAT64 one (RFC 4291, 3056, 6052)."""
    if address in _NAT64:
        return IPv4Address(int(address) & _IPV4_BITS)
    return address.ipv4_mapped or address.sixtofour


def _pieces(url: str) -> re.Match[str]:
    if len(url) > LONGEST_URL:
        raise CallRefused(f"The URL must not be longer than {LONGEST_URL} characters.")
    found = _URL.fullmatch(url)
    if "#" in url:
        raise CallRefused("The URL must not have a fragment.")
    if "@" in re.split(r"[/?]", url.partition("://")[2], maxsplit=1)[0]:
        raise CallRefused("The URL must not hold a user name or password.")
    if found is None or "\\" in url:
        raise CallRefused("The URL must look like https://host/path, in ASCII without spaces.")
    return found


def _literal(host: str) -> Address | None:
    """The address that a host is written as, None for a name; raises CallRefused for what is neither."""
    try:
        if host.startswith("["):
            return IPv6Address(host.strip("[]"))
        labels = host.split(".")
        if _NUMBER.fullmatch(labels[-1]):
            return IPv4Address(host)
    except ValueError:
        raise CallRefused("The URL's host is not a valid IP address.") from None
    if len(host) > _LONGEST_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        raise CallRefused("The URL's host is not a valid host name.")
    return None
