"""The names that a transform (clean, enrich, alert) may import.

For every transform: `Transform`, `Outcome`, `Param`.
For parameters: `Duration`, `DataFile`, `read_areas`, `need_columns`, `unknown_column`, `kind_of`.
For tables: `read_table`, `checked_table`, `Types`, `place_of_row`, `columns_shown`.
For mistakes in a configuration: `Fault`, and `Collector` for several at once.
For columns of a batch: `EVENT_TIME`, `PARTITION`, `OFFSET`, `SYSTEM_FIELDS`, `user_columns`,
`micros`. For schemas: `like`, `traits`, `with_traits`.
For conditions: `check_condition`, `rows_where`.
For expressions: `parse`, `type_of`, `evaluate`, `ExpressionError`, `quantity_of`, `with_measured`.
For tables whose rows are valid for a time: `VersionedRows`, `versioned_rows`.
For alarms: `ALARM_FIELDS`, `ACTIVE`, `alarm_columns`, `alarm_id`, `key_text`, `quality_of`,
`doubts`.
"""

from tocsin.alarms.data_quality import doubts, quality_of
from tocsin.alarms.event import ACTIVE, ALARM_FIELDS, alarm_columns, alarm_id, key_text
from tocsin.foundation.faults import Collector, Fault
from tocsin.kernels.batch import (
    EVENT_TIME,
    OFFSET,
    PARTITION,
    SYSTEM_FIELDS,
    like,
    micros,
    traits,
    user_columns,
    with_traits,
)
from tocsin.kernels.expressions import ExpressionError, evaluate, parse, type_of
from tocsin.kernels.expressions.measured import quantity_of, with_measured
from tocsin.kernels.expressions.typing import kind_of, unknown_column
from tocsin.kernels.time.as_of import VersionedRows, versioned_rows
from tocsin.parts.area_files import read_areas
from tocsin.parts.condition import check_condition, rows_where
from tocsin.parts.fields import DataFile, Duration
from tocsin.parts.part import Param, need_columns
from tocsin.parts.tables import Types, checked_table, columns_shown, place_of_row, read_table
from tocsin.parts.transform import Outcome, Transform

__all__ = [
    "ACTIVE",
    "ALARM_FIELDS",
    "EVENT_TIME",
    "OFFSET",
    "PARTITION",
    "SYSTEM_FIELDS",
    "Collector",
    "DataFile",
    "Duration",
    "ExpressionError",
    "Fault",
    "Outcome",
    "Param",
    "Transform",
    "Types",
    "VersionedRows",
    "alarm_columns",
    "alarm_id",
    "check_condition",
    "checked_table",
    "columns_shown",
    "doubts",
    "evaluate",
    "key_text",
    "kind_of",
    "like",
    "micros",
    "need_columns",
    "parse",
    "place_of_row",
    "quality_of",
    "quantity_of",
    "read_areas",
    "read_table",
    "rows_where",
    "traits",
    "type_of",
    "unknown_column",
    "user_columns",
    "versioned_rows",
    "with_measured",
    "with_traits",
]
