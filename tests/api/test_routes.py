"""Every route of the API stands on the one base, and none ends in a slash."""

from collections.abc import Iterator

from django.urls import URLPattern, URLResolver, get_resolver

from settlements.api.endpoint import Endpoint

# Redirects for people who type half of an address.
TO_THE_ADMIN = {"", "admin"}
# For whoever runs the service, not for callers: it knows no keys and is not in the API's description.
OF_OPERATION = {"metrics"}


def routes(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in resolver.url_patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern, path)
        elif path not in TO_THE_ADMIN | OF_OPERATION and not path.startswith("admin/"):
            yield path, pattern


def test_every_route_outside_the_admin_is_an_endpoint() -> None:
    found = dict(routes(get_resolver("chainpay.urls")))
    assert "healthz" in found
    for path, pattern in found.items():
        assert issubclass(getattr(pattern.callback, "cls", object), Endpoint), path


def test_no_route_ends_in_a_slash() -> None:
    assert [path for path, _ in routes(get_resolver("chainpay.urls")) if path.endswith("/")] == []
