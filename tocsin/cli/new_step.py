"""The file that `tocsin new step` writes."""

STEP = '''"""TODO: what it adds, in a few words."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from tocsin.api.step import Fault, Ordered, OrderedStep, Param, last_rows, numbers, unknown_column


class {type}(OrderedStep):
    """TODO: the column that it adds, with its unit, and when it is null.

    Rows come in order of event time, with those that `needed` keeps. Late rows go to `late`.
    """

    keeps: ClassVar[str] = "the last row of each key"

    of: str = Param("value", help="the column that is compared")

    def added(self, schema: pa.Schema) -> list[pa.Field]:
        """The added column."""
        if self.of not in schema.names:
            raise Fault(unknown_column(self.of, schema), "of")
        return [pa.field("{name}", pa.float64())]

    def columns_of(self, ordered: Ordered) -> list[Any]:
        """The change since the row before; null for the first row of a key."""
        values = numbers(ordered.rows.column(self.of))
        change = np.diff(values, prepend=np.nan)
        change[ordered.starts[:-1]] = np.nan
        return [pa.array(change, mask=np.isnan(change))]

    def needed(self, ordered: Ordered) -> Any:
        """Of the rows that were emitted, the last one of each key."""
        return last_rows(ordered, 1)

    # (configuration, rows as (sensor_id, second, value), rows of the output): replace the NaN by
    # the value that {name} has in the second row.
    examples = [
        (
            {{"by": ["sensor_id"]}},
            [("a", 0, 1.0), ("a", 1, 4.0)],
            [{{"{name}": None}}, {{"{name}": float("nan")}}],
        )
    ]
'''
"""A step that sees rows in order of event time. A step that keeps anything else derives from
StatefulStep and brings an Operator of its own."""
