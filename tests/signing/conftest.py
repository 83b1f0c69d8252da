"""Event sources with a secret that a test chooses, outside of the demo and in it."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from django.utils import timezone

from settlements import signatures, sources

NewSource = Callable[..., str]
_numbers = count(1)


@pytest.fixture(autouse=True, params=[False, True], ids=["outside the demo", "in the demo"])
def demo(request: Any, settings: Any) -> Iterator[bool]:
    settings.CHAINPAY_DEMO = request.param
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
    sources.forget()
    yield request.param
    sources.forget()


@pytest.fixture
def source_with(db: None, monkeypatch: pytest.MonkeyPatch) -> NewSource:
    """Makes a source whose secret is the given one, and tells its name."""

    def make(secret: str) -> str:
        name = f"signing-{next(_numbers)}"
        with monkeypatch.context() as patch:
            patch.setattr(signatures, "new_secret", lambda: secret)
            sources.create(name, actor="test", now=timezone.now())
        return name

    return make
