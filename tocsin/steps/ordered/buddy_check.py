"""The BuddyCheck step: sensors compared with their neighbours."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.foundation.faults import Collector, Fault
from tocsin.kernels import quality_tests
from tocsin.kernels.aggregation.accumulators import numbers
from tocsin.kernels.aggregation.grouping import group_ids
from tocsin.kernels.batch import traits
from tocsin.kernels.expressions.typing import kind_of, unknown_column
from tocsin.kernels.geo.space import buddy_check, neighbours
from tocsin.parts.part import Param
from tocsin.parts.stateful_step import InputKind
from tocsin.steps.ordered.ordered_rows import Ordered
from tocsin.steps.ordered.ordered_step import OrderedStep


class BuddyCheck(OrderedStep):
    """Compares the window of each sensor with that of its neighbours: buddy and isolation check.

    Takes aggregates with a position. `by` are the columns that comparable sensors share: the
    metric, not the sensor. Adds `neighbours`, the number compared with; `neighbour_mean`; and
    `neighbour_flag`: 1 it agrees with them, 3 it is far from them, 2 there are too few (isolated)
    or it has no value. With an elevation, the values of neighbours are shifted by the gradient, and
    those too far above or below do not count. Only revision 0 of aggregates is used.

    If the input has a `flag`, it becomes the worst of `flag` and `neighbour_flag`. A window far
    from its neighbours gets the bit 128 (`neighbours`) in its `flag_reasons`.
    """

    in_a_job = {
        "input": "Aggregate",
        "config": {"by": ["metric"], "of": "mean", "radius": 1500},
    }

    takes: ClassVar[InputKind] = "windows"
    keeps: ClassVar[str] = "the rows that it has not emitted yet"

    of: str = Param(help="column to compare")
    radius: float = Param(
        help="distance, in metres, within which sensors are neighbours", gt=0, le=200_000
    )
    latitude: str = Param("latitude", help="column of the latitude, degrees")
    longitude: str = Param("longitude", help="column of the longitude, degrees")
    elevation: str | None = Param(None, help="column of the elevation, metres")
    gradient: float = Param(
        -0.0065,
        help="change for a metre of elevation, in the column's unit; -0.0065 for degrees Celsius",
    )
    most_elevation: float = Param(
        200.0, help="difference of elevation, in metres, from which sensors are no neighbours", gt=0
    )
    least: int = Param(3, help="number of neighbours needed", ge=1)
    threshold: float = Param(
        4.0, help="standard deviations from the neighbours' mean at which a sensor is suspect", gt=0
    )
    smallest_deviation: float = Param(
        1.0, help="smallest standard deviation, in the column's unit", gt=0
    )
    rounds: int = Param(
        3,
        help="number of rounds; each leaves out the sensors suspect in the one before",
        ge=1,
        le=10,
    )

    def added(self, schema: pa.Schema) -> list[pa.Field]:
        """The columns `neighbours`, `neighbour_mean` and `neighbour_flag`. Raises Faults."""
        collector = Collector()
        with collector:
            if not traits(schema).aggregated:
                raise Fault("takes aggregates: only rows of one window can be compared")
        names = {
            "of": self.of,
            "latitude": self.latitude,
            "longitude": self.longitude,
            "elevation": self.elevation,
        }
        for key, name in names.items():
            with collector:
                if name is not None and name not in schema.names:
                    raise Fault(unknown_column(name, schema), key)
                if name is not None and kind_of(schema.field(name).type) != "number":
                    raise Fault(f"'{name}' is {schema.field(name).type}, not a number", key)
        fields = [
            pa.field("neighbours", pa.int64()),
            pa.field("neighbour_mean", pa.float64()),
            pa.field("neighbour_flag", pa.int8()),
        ]
        for field in fields:
            with collector:
                if field.name in schema.names:
                    raise Fault(f"its input already has a column '{field.name}'")
        collector.done()
        return fields

    def compared(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """The window, the shared columns, the position and the value."""
        names = ["window_start", "window_end", *self.by, self.of, self.latitude, self.longitude]
        names += [self.elevation] if self.elevation is not None else []
        return rows.select(list(dict.fromkeys(names)))

    def columns_of(self, ordered: Ordered) -> list[Any]:
        """The columns of each window, from the comparable sensors of the window."""
        rows = ordered.rows
        x, lat, lng = (
            numbers(rows.column(name)) for name in (self.of, self.latitude, self.longitude)
        )
        height = numbers(rows.column(self.elevation)) if self.elevation is not None else None
        ids, _ = group_ids(
            [
                rows.column("window_start"),
                rows.column("window_end"),
                *(rows.column(name) for name in self.by),
            ]
        )
        count, mean = np.zeros(len(x), np.int64), np.full(len(x), np.nan)
        flags = np.full(len(x), quality_tests.UNKNOWN, np.int8)
        order = np.argsort(ids, kind="stable")
        known: dict[bytes, tuple[Any, Any]] = {}
        for together in np.split(order, np.flatnonzero(np.diff(ids[order])) + 1):
            # Most windows have the same sensors.
            place = np.stack([lat[together], lng[together]]).tobytes()
            pairs = known.get(place)
            if pairs is None:
                pairs = known[place] = neighbours(lat[together], lng[together], self.radius)
            shift = None
            if height is not None:
                higher = height[together][pairs[0]] - height[together][pairs[1]]
                near = np.abs(higher) <= self.most_elevation
                pairs, shift = (pairs[0][near], pairs[1][near]), (higher * self.gradient)[near]
            far, seen, about = buddy_check(
                x[together],
                pairs,
                self.least,
                self.threshold,
                self.smallest_deviation,
                self.rounds,
                shift,
            )
            count[together], mean[together] = seen, about
            judged = (seen >= self.least) & np.isfinite(x[together])
            flags[together[judged]] = np.where(
                far[judged], quality_tests.SUSPECT, quality_tests.GOOD
            )
        return [pa.array(count), pa.array(mean, mask=np.isnan(mean)), pa.array(flags)]

    def changed(self, rows: pa.RecordBatch, added: list[Any]) -> pa.RecordBatch:
        """The rows with this test in their own flag and reasons."""
        found = added[-1].to_numpy(zero_copy_only=False)
        judged = found != quality_tests.UNKNOWN
        for name, change in (("flag", _worse), ("flag_reasons", _with_bit)):
            at = rows.schema.get_field_index(name)
            if at >= 0 and pa.types.is_integer(rows.schema.field(at).type):
                known = rows.column(at)
                values = pa.array(change(known, found)).cast(known.type)
                rows = rows.set_column(
                    at, rows.schema.field(at), pc.if_else(pa.array(judged), values, known)
                )
        return rows

    def needed(self, ordered: Ordered) -> Any:
        """No row: a window is complete when it arrives."""
        return np.zeros(len(ordered.times), bool)


def _worse(known: pa.Array, found: Any) -> Any:
    own = known.fill_null(quality_tests.MISSING).to_numpy(zero_copy_only=False).astype(np.int8)
    return quality_tests.worst([own, found])


def _with_bit(known: pa.Array, found: Any) -> Any:
    bits = known.fill_null(0).to_numpy(zero_copy_only=False)
    return bits | np.where(found == quality_tests.SUSPECT, quality_tests.bit_of("neighbours"), 0)
