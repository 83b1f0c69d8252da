"""From which address a request comes; X-Forwarded-For, which anybody can write, counts only if a setting says so."""

import ipaddress
from typing import Final

from django.conf import settings
from django.http import HttpRequest

UNKNOWN: Final = "unknown"
# A household or an office has a whole network of these.
_IPV6_PREFIX: Final = 64


def client_address(request: HttpRequest) -> str:
    """The address that attempts are counted by: IPv4 as it is, IPv6 by its network of 64 bits.

    With `CHAINPAY_TRUSTED_PROXIES` n, the n-th from the right in X-Forwarded-For: that one was written by the outermost
    of our own proxies. Without it, or if the header has fewer, whoever is connected.
    """
    forwarded = request.headers.get("X-Forwarded-For", "").split(",")
    proxies = settings.CHAINPAY_TRUSTED_PROXIES
    told = network(forwarded[-proxies]) if 0 < proxies <= len(forwarded) else ""
    return told or network(request.META.get("REMOTE_ADDR", "")) or UNKNOWN


def network(text: str) -> str:
    """What an address is counted as; nothing if it is none."""
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address.packed, _IPV6_PREFIX), strict=False))
