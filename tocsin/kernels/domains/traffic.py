"""Levels of service of roads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

# The greatest density of each level on a basic freeway segment: passenger cars per mile and lane,
# here per kilometre. Source: Highway Capacity Manual, 6th edition.
_BOUNDS = np.array([11.0, 18.0, 26.0, 35.0, 45.0]) / 1.609344
_LEVELS = "ABCDEF"


def level_of_service(density: Any) -> Any:
    """The level of service, from A (free flow) to F (breakdown). Null gives null.

    Args:
        density: vehicles per kilometre and lane, an Arrow array or scalar of float64.

    Source: Highway Capacity Manual, 6th edition, basic freeway segments.
    """
    values = np.atleast_1d(
        np.asarray(
            density.fill_null(np.nan) if isinstance(density, pa.Array) else density.as_py(), float
        )
    )
    level = np.searchsorted(_BOUNDS, values, side="left")
    found = pa.array(list(_LEVELS)).take(pa.array(level, mask=np.isnan(values)))
    return found if isinstance(density, pa.Array) else found[0]
