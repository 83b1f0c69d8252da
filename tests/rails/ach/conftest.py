from pathlib import Path
from typing import Any

import pytest

from rails.ach.configuration import AchConfiguration
from tests.rails.ach.bank import configured


@pytest.fixture
def ach(tmp_path: Path, settings: Any) -> AchConfiguration:
    """Paying by ACH, configured for the test."""
    settings.ACH = configured(tmp_path)
    configuration: AchConfiguration = settings.ACH
    return configuration
