"""Recordings of real sensors, for the tests that compare with other tools."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def recording(name: str) -> Path:
    """A recording of real data; the test is skipped where the folder is absent."""
    folder = Path(os.environ.get("TOCSIN_RECORDINGS", ROOT.parent / "shared" / "data"))
    file = folder / name
    if not file.exists():
        pytest.skip(
            f"the recording {name} is not there (looked in {folder}; set TOCSIN_RECORDINGS)"
        )
    return file
