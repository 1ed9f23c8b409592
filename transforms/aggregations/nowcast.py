"""The NowCast of particulate matter."""

from typing import ClassVar

import numpy as np
import pyarrow as pa

from tocsin.api.aggregation import Aggregation, Column, Param, accumulator, hourly_means, nowcast


class Nowcast(Aggregation):
    """The US EPA's NowCast: the likely mean of 24 hours, from the last twelve hourly means.

    For windows of 12 hours that slide by one. Readings of one hour are averaged first. Null unless
    two of the newest three hours have readings. Weights fall faster the more the hours differ, by
    at least `least_weight` an hour (0.5; Asian networks use 0.1).
    Source: US EPA, Technical Assistance Document for the Reporting of Daily Air Quality (2024).
    """

    keeps_unit: ClassVar[bool] = True
    mean_of: ClassVar[str | int | None] = 86_400_000_000
    least_weight: float = Param(0.5, help="smallest weight of the previous hour", ge=0, le=1)

    sums = accumulator("sums_by_time")

    def finish(self, sums: Column, window_end: Column) -> Column:
        values = nowcast(hourly_means(sums, window_end, 12), self.least_weight)
        return pa.array(values, mask=np.isnan(values))

    examples = [({}, [], None)]
