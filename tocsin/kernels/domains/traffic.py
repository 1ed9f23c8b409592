"""Levels of service of roads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

# Passenger cars a mile and lane up to which a basic freeway segment has each level: Highway Capacity Manual, 6th edition.
_BOUNDS = np.array([11.0, 18.0, 26.0, 35.0, 45.0]) / 1.609344
_LEVELS = pa.array(list("ABCDEF"))


def level_of_service(density: Any) -> Any:
    """A (free flow) to F (breakdown), of vehicles a kilometre and lane; null in, null out."""
    values = np.atleast_1d(
        np.asarray(
            density.fill_null(np.nan) if isinstance(density, pa.Array) else density.as_py(), float
        )
    )
    level = np.searchsorted(_BOUNDS, values, side="left")
    found = _LEVELS.take(pa.array(level, mask=np.isnan(values)))
    return found if isinstance(density, pa.Array) else found[0]
