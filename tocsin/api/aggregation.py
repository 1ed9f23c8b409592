"""The names that an aggregation may import.

For every aggregation: `Aggregation`, `accumulator`, `Param`, and `Column` for types.
For parameters: `Duration`.
For results over several columns or windows: `expected_readings`, `mean`, `variance`,
`standard_deviation`, `quantile`, `estimate_distinct`.
For points (value and event time): `hourly`, `slope`, `time_weighted_mean`, `counter_rate`.
For sums by time: `hourly_means`, `nowcast`.
For probes of a network: `consecutive_variation`, `interarrival_jitter`, `lost_share`.
For quality flags and rules of validity: `flag_of`, `weight_of`, `least_share`.
For types of NumPy arrays: `Floats`.
"""

from tocsin.kernels.aggregation.distinct_counts import estimate_distinct
from tocsin.kernels.aggregation.exact_sums import mean, standard_deviation, variance
from tocsin.kernels.aggregation.histograms import quantile
from tocsin.kernels.aggregation.network_probes import (
    consecutive_variation,
    interarrival_jitter,
    lost_share,
)
from tocsin.kernels.aggregation.sums_by_time import hourly_means
from tocsin.kernels.aggregation.time_series import counter_rate, hourly, slope, time_weighted_mean
from tocsin.kernels.batch import Floats
from tocsin.kernels.domains.air_quality import nowcast
from tocsin.kernels.domains.completeness import least_share
from tocsin.kernels.quality_tests import flag_of, weight_of
from tocsin.parts.aggregation import Aggregation, Column, accumulator, expected_readings
from tocsin.parts.fields import Duration
from tocsin.parts.part import Param

__all__ = [
    "Aggregation",
    "Column",
    "Duration",
    "Floats",
    "Param",
    "accumulator",
    "consecutive_variation",
    "counter_rate",
    "estimate_distinct",
    "expected_readings",
    "flag_of",
    "hourly",
    "hourly_means",
    "interarrival_jitter",
    "least_share",
    "lost_share",
    "mean",
    "nowcast",
    "quantile",
    "slope",
    "standard_deviation",
    "time_weighted_mean",
    "variance",
    "weight_of",
]
