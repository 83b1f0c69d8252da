from pathlib import Path
from typing import Any

import pytest

from rails.wire.configuration import WireConfiguration
from tests.rails.wire.bank import configured


@pytest.fixture
def wires(tmp_path: Path, settings: Any) -> WireConfiguration:
    """Paying by wire, configured for the test."""
    settings.WIRE = configured(tmp_path)
    configuration: WireConfiguration = settings.WIRE
    return configuration
