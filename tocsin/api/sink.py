"""The names that a sink may import.

For every sink: `Sink`, `Param`.
For parameters: `Duration`, `format_duration`, `need_columns`, `suggestion`.
For errors: `Fault` (a mistake in the configuration), `Failure` (a target that fails).
For columns of a batch: `EVENT_TIME`, `WATERMARK`, `micros`, `traits`, `user_columns`, `offsets_of`,
`group_ids`, `reasons_of`.
For files: `check_lake`, `check_lake_folder`, `readable_folders`, `lake_folder`,
`path_part`, `format_timestamp`,
`with_points`, `failpoint`, `notes_of`, `notes_footer`, `with_notes`.
For object stores: `StoreSettings`, `check_place`, `is_in_store`, `absolute_lake`, `judge_store`,
`store_settings`, `place_of`, `probe`, `shown`.
For tables: `TargetChange`, `table_changes`, `Writer`, `UnitWriter`, `Unit`, `open_table`,
`stored_type`, `stored_batch`,
`TIME_PARTS`, `with_parts`, `by_values`, `has_offsets`.
For Kafka: `Kafka`, `Producer`, `Transactions`.
"""

from tocsin.alarms.data_quality import reasons_of
from tocsin.foundation.failpoint import failpoint
from tocsin.foundation.failure import Failure
from tocsin.foundation.faults import Fault
from tocsin.foundation.lake_folder import absolute_lake, check_place, is_in_store, lake_folder
from tocsin.foundation.sandbox import (
    check_lake,
    check_lake_folder,
    judge_store,
    readable_folders,
    store_settings,
)
from tocsin.foundation.target_change import TargetChange
from tocsin.kafka.connection import Kafka
from tocsin.kafka.producer import Producer
from tocsin.kafka.topic_name import TopicName
from tocsin.kafka.transactions import Transactions
from tocsin.kernels.aggregation.grouping import group_ids
from tocsin.kernels.batch import EVENT_TIME, WATERMARK, micros, offsets_of, traits, user_columns
from tocsin.kernels.column_notes import notes_footer, notes_of, with_notes
from tocsin.kernels.expressions.typing import suggestion
from tocsin.kernels.geo.geoparquet import with_points
from tocsin.kernels.path_encoding import path_part
from tocsin.kernels.time.durations import format_duration
from tocsin.kernels.time.file_timestamps import format_timestamp
from tocsin.parts.fields import Duration, StoreSettings
from tocsin.parts.part import Param, need_columns
from tocsin.parts.sink import Sink
from tocsin.table.columns import stored_batch, stored_type
from tocsin.table.earlier_runs import has_offsets
from tocsin.table.owner import Writer
from tocsin.table.parts_of_time import TIME_PARTS, by_values, with_parts
from tocsin.table.places import place_of, shown
from tocsin.table.stored import probe
from tocsin.table.table import open_table
from tocsin.table.table_changes import table_changes
from tocsin.table.unit_writer import UnitWriter
from tocsin.table.units import Unit

__all__ = [
    "EVENT_TIME",
    "TIME_PARTS",
    "WATERMARK",
    "Duration",
    "Failure",
    "Fault",
    "Kafka",
    "Param",
    "Producer",
    "Sink",
    "StoreSettings",
    "TargetChange",
    "TopicName",
    "Transactions",
    "Unit",
    "UnitWriter",
    "Writer",
    "absolute_lake",
    "by_values",
    "check_lake",
    "check_lake_folder",
    "check_place",
    "failpoint",
    "format_duration",
    "format_timestamp",
    "group_ids",
    "has_offsets",
    "is_in_store",
    "judge_store",
    "lake_folder",
    "micros",
    "need_columns",
    "notes_footer",
    "notes_of",
    "offsets_of",
    "open_table",
    "path_part",
    "place_of",
    "probe",
    "readable_folders",
    "reasons_of",
    "shown",
    "store_settings",
    "stored_batch",
    "stored_type",
    "suggestion",
    "table_changes",
    "traits",
    "user_columns",
    "with_notes",
    "with_parts",
    "with_points",
]
