"""Mean of directions."""

from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.api.aggregation import Aggregation, Column, Param, accumulator

_RADIANS = np.pi / 180.0


class CircularMean(Aggregation):
    """Mean direction in degrees, from 0 to 360; the mean of 350° and 10° is 0°.

    The direction of the sum of unit vectors.

    Null without a value, or if the directions disagree: the mean vector is shorter than
    `least_agreement`.
    Source: Fisher, Statistical Analysis of Circular Data (1993), section 2.3.1.
    """

    keeps_unit: ClassVar[bool] = True
    mean_of: ClassVar[str | int | None] = "window"
    least_agreement: float = Param(
        1e-6, help="least length of the mean vector, from 0 to 1", ge=0, le=1
    )

    sines = accumulator("sum", lambda _self, x: pc.sin(pc.multiply(pc.cast(x, "double"), _RADIANS)))
    cosines = accumulator(
        "sum", lambda _self, x: pc.cos(pc.multiply(pc.cast(x, "double"), _RADIANS))
    )
    seen = accumulator("count")

    def finish(self, sines: Column, cosines: Column, seen: Column) -> Column:
        x, y, counts = (
            column.to_numpy(zero_copy_only=False).astype(np.float64)
            for column in (cosines, sines, seen)
        )
        known = (counts > 0) & (np.hypot(x, y) >= self.least_agreement * np.maximum(counts, 1.0))
        angles = np.degrees(np.arctan2(y, x)) % 360.0
        # Rounding may give 360 for 0.
        return pa.array(np.where(angles > 360.0 - 1e-9, 0.0, angles), mask=~known)

    examples = [
        ({}, [350.0, 10.0, None], 0.0),
        ({}, [80.0, 100.0], 90.0),
        ({}, [0.0, 180.0], None),
        ({}, [], None),
    ]
