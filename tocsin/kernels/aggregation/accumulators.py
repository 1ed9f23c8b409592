"""Accumulators: partial results of groups of rows that merge in any order.

Null and NaN are missing values, and every accumulator skips them. Infinities are values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from typing_extensions import override

from tocsin.kernels.aggregation import distinct_counts, exact_sums, histograms, sums_by_time
from tocsin.kernels.aggregation.list_arrays import explode, implode
from tocsin.kernels.batch import Floats, Int64s


class Accumulator:
    """A mergeable partial result of a group of rows, as columns.

    `values` is a column, and None for a row count. `times` are event times in microseconds. `ids`
    is the group number of each row, from 0 to `groups` - 1.
    """

    by_hour: ClassVar[bool] = False
    """Whether times of one hour before the end of a window may be taken for each other."""

    def fields(self, kind: Any) -> list[pa.DataType]:
        """The column types of a partial result, for an input column of the type `kind`."""
        raise NotImplementedError

    def fold(self, values: Any, times: Int64s, ids: Int64s, groups: int) -> list[Any]:
        """The partial result of rows: columns with one row for each group."""
        raise NotImplementedError

    def merge(self, parts: list[Any], ids: Int64s, groups: int) -> list[Any]:
        """The partial result of partial results: columns with one row for each group."""
        raise NotImplementedError

    def result(self, parts: list[Any]) -> Any:
        """The column that the aggregation's `finish` gets, by default the last column."""
        return parts[-1]


def numbers(values: Any) -> Floats:
    """A numeric or boolean column as float64. Null becomes NaN."""
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
    values = values.cast(pa.float64(), safe=False)
    floats: Floats = (values.fill_null(np.nan) if values.null_count else values).to_numpy()
    return floats


def present(values: Any) -> Any:
    """Whether each row has a value, which is neither null nor NaN."""
    valid = values.is_valid().to_numpy(zero_copy_only=False)
    if pa.types.is_floating(values.type):
        valid = valid & ~np.isnan(numbers(values))
    return valid


@dataclass(frozen=True)
class Count(Accumulator):
    """The number of values, or of rows if there is no column. Partial result: one int64."""

    @override
    def fields(self, kind: Any) -> list[pa.DataType]:
        return [pa.int64()]

    @override
    def fold(self, values: Any, times: Int64s, ids: Int64s, groups: int) -> list[Any]:
        counted = ids if values is None else ids[present(values)]
        return [pa.array(np.bincount(counted, minlength=groups))]

    @override
    def merge(self, parts: list[Any], ids: Int64s, groups: int) -> list[Any]:
        return [pa.array(np.bincount(ids, parts[0].to_numpy(), groups).astype(np.int64))]


@dataclass(frozen=True)
class Sum(Accumulator):
    """The sum of the values, independent of their order; 0 without values.

    Partial result: two float64 (high, low), see `exact_sums`.

    Attributes:
        squared: whether to add the squares.
        as_pair: whether the result is a struct of high and low, not their sum.
    """

    squared: bool = False
    as_pair: bool = False

    @override
    def fields(self, kind: Any) -> list[pa.DataType]:
        return [pa.float64(), pa.float64()]

    @override
    def fold(self, values: Any, times: Int64s, ids: Int64s, groups: int) -> list[Any]:
        highs = numbers(values)
        here = ~np.isnan(highs)
        if not here.all():
            highs, ids = highs[here], ids[here]
        lows = np.zeros(len(highs))
        if self.squared:
            plain, highs = highs, np.empty(len(highs))
            exact_sums.squares(plain, highs, lows)
        return self._add(highs, lows, ids, groups)

    @override
    def merge(self, parts: list[Any], ids: Int64s, groups: int) -> list[Any]:
        return self._add(parts[0].to_numpy(), parts[1].to_numpy(), ids, groups)

    def _add(self, highs: Floats, lows: Floats, ids: Int64s, groups: int) -> list[Any]:
        high, low = np.zeros(groups), np.zeros(groups)
        exact_sums.add_pairs(ids, highs, lows, high, low)
        return [pa.array(high), pa.array(low)]

    @override
    def result(self, parts: list[Any]) -> Any:
        if self.as_pair:
            return pa.StructArray.from_arrays(parts, names=["high", "low"])
        return pc.add(parts[0], parts[1])


@dataclass(frozen=True)
class Extreme(Accumulator):
    """The minimum or the maximum; null without values. Partial result: one float64."""

    greatest: bool

    @override
    def fields(self, kind: Any) -> list[pa.DataType]:
        return [pa.float64()]

    @override
    def fold(self, values: Any, times: Int64s, ids: Int64s, groups: int) -> list[Any]:
        found = np.full(groups, -np.inf if self.greatest else np.inf)
        floats = numbers(values)
        (exact_sums.greatest if self.greatest else exact_sums.smallest)(ids, floats, found)
        if np.isfinite(found).all():
            return [pa.array(found)]
        # An infinite element is a value, or its group has no value.
        return [pa.array(found, mask=np.bincount(ids[~np.isnan(floats)], minlength=groups) == 0)]

    @override
    def merge(self, parts: list[Any], ids: Int64s, groups: int) -> list[Any]:
        return self.fold(parts[0], ids, ids, groups)


@dataclass(frozen=True)
class Edge(Accumulator):
    """The value at the first or last event time; null without values.

    If several values have that time, the smallest counts. Partial result: its time and the value.
    """

    last: bool

    @override
    def fields(self, kind: Any) -> list[pa.DataType]:
        return [pa.int64(), kind]

    @override
    def fold(self, values: Any, times: Int64s, ids: Int64s, groups: int) -> list[Any]:
        rows = np.flatnonzero(present(values))
        values, times, ids = values.take(pa.array(rows)), times[rows], ids[rows]
        rank = pc.rank(values, tiebreaker="dense").to_numpy() if len(rows) else times
        order = np.lexsort((rank, -times if self.last else times, ids))
        groups_in_order = ids[order]
        firsts = np.searchsorted(groups_in_order, np.arange(groups))
        missing = np.searchsorted(groups_in_order, np.arange(groups), side="right") == firsts
        picked = (
            order[np.minimum(firsts, max(len(order) - 1, 0))]
            if len(order)
            else np.zeros(groups, np.int64)
        )
        chosen = pa.array(picked, pa.int64(), mask=missing)
        return [pa.array(times).take(chosen), values.take(chosen)]

    @override
    def merge(self, parts: list[Any], ids: Int64s, groups: int) -> list[Any]:
        return self.fold(parts[1], parts[0].fill_null(0).to_numpy(), ids, groups)


def points(value: pa.DataType) -> pa.DataType:
    """The type of a list of (time, value)."""
    return pa.list_(pa.struct([pa.field("time", pa.int64()), pa.field("value", value)]))


@dataclass(frozen=True)
class Points(Accumulator):
    """All values with their times, sorted by (time, value). Partial result: one list.

    The list grows with the number of values in the group.

    Attributes:
        exact: whether 64-bit integers stay integers. All other values become doubles.
    """

    exact: bool = False

    @override
    def fields(self, kind: Any) -> list[pa.DataType]:
        return [points(self._value_type(kind))]

    @override
    def fold(self, values: Any, times: Int64s, ids: Int64s, groups: int) -> list[Any]:
        if self._value_type(values.type) == pa.float64():
            column = numbers(values)
            rows = np.flatnonzero(~np.isnan(column))
            column = column[rows]
        else:
            rows = np.flatnonzero(present(values))
            column = values.drop_null().to_numpy()
        return [self._list(ids[rows], times[rows], column, groups)]

    @override
    def merge(self, parts: list[Any], ids: Int64s, groups: int) -> list[Any]:
        owners, items = explode(parts[0], ids)
        times, values = (items.field(name).to_numpy() for name in ("time", "value"))
        return [self._list(owners, times, values, groups)]

    def _value_type(self, kind: pa.DataType) -> pa.DataType:
        return kind if self.exact and kind in (pa.int64(), pa.uint64()) else pa.float64()

    def _list(self, ids: Int64s, times: Int64s, values: Any, groups: int) -> Any:
        order = np.lexsort((values, times, ids))
        columns = [pa.array(times[order]), pa.array(values[order])]
        fields = list(points(columns[1].type).value_type)
        items = pa.StructArray.from_arrays(columns, fields=fields)
        return implode(ids[order], items, groups)


@dataclass(frozen=True)
class SumsByTime(Accumulator):
    """Number and sum of the values of each time, in the order of times. Partial result: one list.

    Times are those of whole hours, as far as windows allow it. So the list has one item for each
    hour of the group, however many values that has.
    """

    by_hour: ClassVar[bool] = True

    @override
    def fields(self, kind: Any) -> list[pa.DataType]:
        return [sums_by_time.SUMS]

    @override
    def fold(self, values: Any, times: Int64s, ids: Int64s, groups: int) -> list[Any]:
        highs = numbers(values)
        here = ~np.isnan(highs)
        counts = np.ones(int(here.sum()), np.int64)
        sums = highs[here], np.zeros(len(counts))
        return [sums_by_time.summed(ids[here], times[here], sums, counts, groups)]

    @override
    def merge(self, parts: list[Any], ids: Int64s, groups: int) -> list[Any]:
        return [sums_by_time.merged(parts[0], ids, groups)]


@dataclass(frozen=True)
class Buckets(Accumulator):
    """A histogram for quantiles, see `histograms`.

    Partial result: the least and the greatest value, whether the histogram counts buckets, and one
    list of (value, count).
    """

    @override
    def fields(self, kind: Any) -> list[pa.DataType]:
        return [pa.float64(), pa.float64(), pa.bool_(), histograms.COUNTS]

    @override
    def fold(self, values: Any, times: Int64s, ids: Int64s, groups: int) -> list[Any]:
        floats = numbers(values) + 0.0  # no negative zero
        edges = [side.fold(pa.array(floats), times, ids, groups)[0] for side in _EXTREMES]
        here = ~np.isnan(floats)
        if not here.all():
            floats, ids = floats[here], ids[here]
        in_buckets = np.zeros(groups, bool)
        in_buckets, counts = histograms.count_values(ids, floats, None, in_buckets)
        return [*edges, pa.array(in_buckets), counts]

    @override
    def merge(self, parts: list[Any], ids: Int64s, groups: int) -> list[Any]:
        edges = [
            side.merge([edge], ids, groups)[0] for side, edge in zip(_EXTREMES, parts, strict=False)
        ]
        in_buckets = np.zeros(groups, bool)
        in_buckets[ids[parts[2].to_numpy(zero_copy_only=False)]] = True
        owners, items = explode(parts[3], ids)
        values, counts = (items.field(name).to_numpy() for name in ("value", "count"))
        in_buckets, counted = histograms.count_values(owners, values, counts, in_buckets)
        return [*edges, pa.array(in_buckets), counted]

    @override
    def result(self, parts: list[Any]) -> Any:
        names = ["least", "greatest", "in_buckets", "counts"]
        return pa.StructArray.from_arrays(parts, names=names)


_EXTREMES = (Extreme(greatest=False), Extreme(greatest=True))


@dataclass(frozen=True)
class Distinct(Accumulator):
    """The smallest hashes of the values, for a distinct count. Partial result: one list."""

    @override
    def fields(self, kind: Any) -> list[pa.DataType]:
        return [distinct_counts.MINIMA]

    @override
    def fold(self, values: Any, times: Int64s, ids: Int64s, groups: int) -> list[Any]:
        rows = np.flatnonzero(present(values))
        return [
            distinct_counts.smallest_hashes(
                ids[rows], distinct_counts.distinct_hashes(values.take(pa.array(rows))), groups
            )
        ]

    @override
    def merge(self, parts: list[Any], ids: Int64s, groups: int) -> list[Any]:
        owners, items = explode(parts[0], ids)
        return [distinct_counts.smallest_hashes(owners, items.to_numpy(), groups)]


@dataclass(frozen=True)
class Bits(Accumulator):
    """The bitwise or of the values; 0 without values. Partial result: one int64."""

    @override
    def fields(self, kind: Any) -> list[pa.DataType]:
        return [pa.int64()]

    @override
    def fold(self, values: Any, times: Int64s, ids: Int64s, groups: int) -> list[Any]:
        found = np.zeros(groups, np.int64)
        here = present(values)
        if pa.types.is_integer(values.type):
            bits = values.drop_null().to_numpy().astype(np.int64)
        else:
            bits = np.nan_to_num(numbers(values)[here]).astype(np.int64)
        np.bitwise_or.at(found, ids[here], bits)
        return [pa.array(found)]

    @override
    def merge(self, parts: list[Any], ids: Int64s, groups: int) -> list[Any]:
        return self.fold(parts[0], ids, ids, groups)


ACCUMULATORS: dict[str, Accumulator] = {
    "count": Count(),
    "sum": Sum(),
    "sum_pair": Sum(as_pair=True),
    "sum_of_squares_pair": Sum(squared=True, as_pair=True),
    "min": Extreme(greatest=False),
    "max": Extreme(greatest=True),
    "first": Edge(last=False),
    "last": Edge(last=True),
    "points": Points(),
    "exact_points": Points(exact=True),
    "sums_by_time": SumsByTime(),
    "buckets": Buckets(),
    "distinct": Distinct(),
    "bits": Bits(),
}
"""Accumulators by the name that an aggregation declares."""
