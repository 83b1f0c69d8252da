from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from rails.base import PaymentRail
from rails.wire.configuration import WireConfiguration
from rails.wire.rail import WireRail
from tests.rails.rail_contract import RailContract
from tests.rails.wire.bank import MONDAY, payee


class TestWireRail(RailContract):
    @pytest.fixture
    def clock(self) -> Iterator[Any]:
        with time_machine.travel(MONDAY, tick=False) as clock:
            yield clock

    @pytest.fixture
    def rail(self, wires: WireConfiguration, clock: Any) -> PaymentRail:
        return WireRail()

    @pytest.fixture
    def recipient_id(self, db: None) -> int | None:
        return payee()

    @pytest.fixture
    def open_again(self, clock: Any) -> Callable[[], None]:
        return lambda: clock.shift(timedelta(days=1))
