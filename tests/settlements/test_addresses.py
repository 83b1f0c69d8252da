"""Which addresses we call."""

from ipaddress import ip_address

import pytest

from settlements import addresses
from settlements.addresses import CallRefused

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.215.14",
    "172.15.255.255",
    "172.32.0.1",
    "100.63.255.255",
    "100.128.0.1",
    "168.63.129.15",
    "168.63.129.17",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001:831::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
]
NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:168.63.129.16",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:a00:1::1",
    "3fff::1",
    "4000::1",
    "fc00::1",
    "fd12:3456:789a::1",
    "fe80::1",
    "fe80::1%1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_public_internet_may_be_called(address: str) -> None:
    assert addresses.is_global(ip_address(address))
    addresses.judge([ip_address(address)], private_allowed=False)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_any_other_address_may_not_unless_the_operator_allows_it(address: str) -> None:
    assert not addresses.is_global(ip_address(address))
    with pytest.raises(CallRefused, match="is not reachable from everywhere"):
        addresses.judge([ip_address("8.8.8.8"), ip_address(address)], private_allowed=False)
    addresses.judge([ip_address(address)], private_allowed=True)


@pytest.mark.parametrize(
    ("url", "authority", "port", "path"),
    [
        ("https://example.com", "example.com", 443, "/"),
        ("HTTPS://Example.COM:443/A/b?c=D", "example.com", 443, "/A/b?c=D"),
        ("https://example.com:8443?q", "example.com:8443", 8443, "/?q"),
        ("https://8.8.8.8/x", "8.8.8.8", 443, "/x"),
        ("https://[2606:4700:4700::1111]:81/", "[2606:4700:4700::1111]:81", 81, "/"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443, "/"),
        ("https://a_b-c.example/@not-a-user", "a_b-c.example", 443, "/@not-a-user"),
    ],
)
def test_a_url_is_cut_into_what_is_called(url: str, authority: str, port: int, path: str) -> None:
    target = addresses.target(url, private_allowed=False)
    assert (target.scheme, target.authority, target.port, target.path) == ("https", authority, port, path)


# Refused whoever wrote them: no reader must see another host in them than the next one.
NEVER = [
    "",
    "example.com",
    "//example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "https:/example.com",
    "https:///path",
    "https://",
    "https://:443/",
    "https://?x",
    "https://user@example.com/",
    "https://user:hidden@example.com/",
    "https://example.com:443@8.8.8.8/",
    "https://hidden#@example.com/",
    "https://example.com/#fragment",
    "https://example.com#",
    "https://example.com:0/",
    "https://example.com:65536/",
    "https://example.com:99999999/",
    "https://example.com:/",
    "https://example.com:+443/",
    "https://example.com:४४३/",
    "https://example.com\\@8.8.8.8/",
    "https://example.com/\\x",
    "https://exa mple.com/",
    "https://example.com/a b",
    "https://example.com/\r\nX: y",
    "https://example.com/\n",
    "https://example.com/\x00",
    "https://example.com/\t",
    " https://example.com/",
    "https://bücher.example/",
    "https://example.com/ü",
    "https://①②⑦.⓪.⓪.①/",
    "https://127。0。0。1/",
    "https://example..com/",
    "https://.example.com/",
    "https://example.com./",
    "https://localhost./",
    "https://-example.com/",
    "https://example-.com/",
    "https://" + "a" * 64 + ".com/",
    "https://" + "a." * 130 + "com/",
    "https://example.com/" + "a" * 2_000,
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://0X7F.1/",
    "https://017700000001/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://127.0.0.01/",
    "https://127.0.0.0x1/",
    "https://127.0.0.1.1/",
    "https://256.1.1.1/",
    "https://1.2.3.4.5/",
    "https://example.1/",
    "https://example.0x/",
    "https://[::1/",
    "https://::1/",
    "https://[]/",
    "https://[1.2.3.4]/",
    "https://[fe80::1%25eth0]/",
    "https://[v1.x]/",
    "https://[::1]x/",
    "https://[example.com]/",
]
# A machine or a network of our own: only where private addresses are allowed.
PRIVATE = [
    "http://example.com/",
    "http://8.8.8.8/",
    "https://localhost/",
    "https://LOCALHOST:8000/",
    "https://any.localhost/",
    "https://127.0.0.1/",
    "https://0.0.0.0/",
    "https://10.1.2.3/",
    "https://169.254.169.254/latest/meta-data/",
    "https://100.64.0.1/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[fd00::1]/",
    "https://[fe80::1]/",
    "https://[ff02::1]/",
]


@pytest.mark.parametrize("url", NEVER)
@pytest.mark.parametrize("private_allowed", [True, False])
def test_a_url_that_could_be_read_in_two_ways_is_refused(url: str, private_allowed: bool) -> None:
    for each in (url, url.replace("https://", "http://", 1)):
        with pytest.raises(CallRefused) as refused:
            addresses.target(each, private_allowed=private_allowed)
        assert "hidden" not in str(refused.value)


@pytest.mark.parametrize("url", PRIVATE)
def test_a_url_of_our_own_network_needs_the_operators_leave(url: str) -> None:
    with pytest.raises(CallRefused):
        addresses.target(url, private_allowed=False)
    addresses.target(url, private_allowed=True)
