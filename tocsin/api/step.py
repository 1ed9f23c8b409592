"""What a step with state may import."""

from tocsin.foundation.faults import Collector, Fault
from tocsin.kernels.aggregation.accumulators import numbers
from tocsin.kernels.aggregation.grouping import group_ids
from tocsin.kernels.batch import (
    EVENT_TIME,
    FOREVER,
    SYSTEM_FIELDS,
    WATERMARK,
    like,
    micros,
    no_rows,
    timestamps,
    traits,
    user_columns,
    with_traits,
)
from tocsin.kernels.expressions.typing import kind_of, unknown_column
from tocsin.kernels.segments import arrival, segments
from tocsin.kernels.state.keyed_block import KeyedBlock, from_ipc, to_ipc
from tocsin.parts.fields import DataFile, Duration
from tocsin.parts.operator import Advanced, Memory, Operator, Routed
from tocsin.parts.part import Param, need_columns
from tocsin.parts.stateful_step import InputKind, ShardCount, StatefulStep, column_types
from tocsin.steps.ordered.ordered_rows import Ordered, last_rows
from tocsin.steps.ordered.ordered_step import OrderedStep
from tocsin.steps.state.late_rows import set_apart
from tocsin.steps.state.release_times import release_after
from tocsin.steps.state.row_log import is_spent, rows_of, same_pieces
from tocsin.steps.state.union import rows_of_side, schema_of_side

__all__ = [
    "EVENT_TIME",
    "FOREVER",
    "SYSTEM_FIELDS",
    "WATERMARK",
    "Advanced",
    "Collector",
    "DataFile",
    "Duration",
    "Fault",
    "InputKind",
    "KeyedBlock",
    "Memory",
    "Operator",
    "Ordered",
    "OrderedStep",
    "Param",
    "Routed",
    "ShardCount",
    "StatefulStep",
    "arrival",
    "column_types",
    "from_ipc",
    "group_ids",
    "is_spent",
    "kind_of",
    "last_rows",
    "like",
    "micros",
    "need_columns",
    "no_rows",
    "numbers",
    "release_after",
    "rows_of",
    "rows_of_side",
    "same_pieces",
    "schema_of_side",
    "segments",
    "set_apart",
    "timestamps",
    "to_ipc",
    "traits",
    "unknown_column",
    "user_columns",
    "with_traits",
]
