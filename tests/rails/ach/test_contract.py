from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from rails.ach.configuration import AchConfiguration
from rails.ach.rail import AchRail
from rails.base import PaymentRail
from tests.rails.ach.bank import MONDAY, payee
from tests.rails.rail_contract import RailContract


class TestAchRail(RailContract):
    @pytest.fixture
    def clock(self) -> Iterator[Any]:
        with time_machine.travel(MONDAY, tick=False) as clock:
            yield clock

    @pytest.fixture
    def rail(self, ach: AchConfiguration, clock: Any) -> PaymentRail:
        return AchRail()

    @pytest.fixture
    def recipient_id(self, db: None) -> int | None:
        return payee()

    @pytest.fixture
    def open_again(self, clock: Any) -> Callable[[], None]:
        return lambda: clock.shift(timedelta(days=1))
