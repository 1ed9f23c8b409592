"""The lake that these tests maintain."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.lakes import write_three_days


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Three days of hourly files of the datasets `locks` and `others`."""
    return write_three_days(tmp_path)
