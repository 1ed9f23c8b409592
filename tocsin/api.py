"""Everything that a part may import."""

from tocsin.columns.as_of import Dated, dated
from tocsin.columns.avro.decode import raw_avro_file
from tocsin.columns.avro.types import arrow_fields, leaves, parse_schema
from tocsin.columns.compiled import kernel
from tocsin.columns.contract import (
    BEGINNING,
    EVENT_TIME,
    OFFSET,
    PARTITION,
    SYSTEM_FIELDS,
    TIMESTAMP,
    WATERMARK,
    Floats,
    Int64s,
    like,
    micros,
    offsets_of,
    traits,
    user_columns,
    with_traits,
)
from tocsin.columns.detection.components import components, standing_out
from tocsin.columns.detection.least_squares import learn, predict
from tocsin.columns.detection.medians import in_order, median_deviation
from tocsin.columns.detection.profiles import learn_profile, profile_at
from tocsin.columns.detection.tails import TAIL, tail_surprise
from tocsin.columns.domains.air_quality import nowcast
from tocsin.columns.domains.completeness import least_share
from tocsin.columns.expressions import ExpressionError, columns_of, evaluate, parse, type_of
from tocsin.columns.expressions.measured import quantity_of, with_measured
from tocsin.columns.expressions.typing import kind_of, suggestion, unknown_column
from tocsin.columns.geoparquet import with_points
from tocsin.columns.groups import group_ids
from tocsin.columns.json_readings import JsonDecoder
from tocsin.columns.names import path_part
from tocsin.columns.points import counter_rate, hourly, slope, time_weighted_mean
from tocsin.columns.probes import consecutive_variation, interarrival_jitter, lost_share
from tocsin.columns.quality import flag_of, weight_of
from tocsin.columns.quantities import format_duration
from tocsin.columns.recurrence import Recurrence
from tocsin.columns.segments import Segments, segments
from tocsin.columns.sketches import estimate_distinct, quantile
from tocsin.columns.stamps import stamp_of
from tocsin.columns.sums import variance
from tocsin.parts.aggregation import Aggregation, Column, expected_readings, tally
from tocsin.parts.alarm import ACTIVE, ALARM_FIELDS, alarm_columns, alarm_id, key_text
from tocsin.parts.archive import Archive
from tocsin.parts.condition import check_condition, rows_where
from tocsin.parts.connection import Kafka, resolve
from tocsin.parts.consumer import PartitionConsumer, partition_consumer
from tocsin.parts.detector import Detector, State
from tocsin.parts.doubt import doubts, quality_of, reasons_of
from tocsin.parts.failpoint import failpoint
from tocsin.parts.failure import Failure
from tocsin.parts.fence import check_file, check_lake
from tocsin.parts.finder import find as find_part
from tocsin.parts.messages import Messages, Reading, Registry
from tocsin.parts.object_detector import ObjectDetector, class_of
from tocsin.parts.part import Collector, DataFile, Duration, Fault, Faults, Param, TextFile, need_columns
from tocsin.parts.producer import Producer
from tocsin.parts.sink import Sink
from tocsin.parts.source import REJECTS, Fetched, Source, Split
from tocsin.parts.tables import read_table
from tocsin.parts.transactions import Transactions
from tocsin.parts.transform import Outcome, Transform

__all__ = [
    "ACTIVE",
    "ALARM_FIELDS",
    "BEGINNING",
    "EVENT_TIME",
    "OFFSET",
    "PARTITION",
    "REJECTS",
    "SYSTEM_FIELDS",
    "TAIL",
    "TIMESTAMP",
    "WATERMARK",
    "Aggregation",
    "Archive",
    "Collector",
    "Column",
    "DataFile",
    "Dated",
    "Detector",
    "Duration",
    "ExpressionError",
    "Failure",
    "Fault",
    "Faults",
    "Fetched",
    "Floats",
    "Int64s",
    "JsonDecoder",
    "Kafka",
    "Messages",
    "ObjectDetector",
    "Outcome",
    "Param",
    "PartitionConsumer",
    "Producer",
    "Reading",
    "Recurrence",
    "Registry",
    "Segments",
    "Sink",
    "Source",
    "Split",
    "State",
    "TextFile",
    "Transactions",
    "Transform",
    "alarm_columns",
    "alarm_id",
    "arrow_fields",
    "check_condition",
    "check_file",
    "check_lake",
    "class_of",
    "columns_of",
    "components",
    "consecutive_variation",
    "counter_rate",
    "dated",
    "doubts",
    "estimate_distinct",
    "evaluate",
    "expected_readings",
    "failpoint",
    "find_part",
    "flag_of",
    "format_duration",
    "group_ids",
    "hourly",
    "in_order",
    "interarrival_jitter",
    "kernel",
    "key_text",
    "kind_of",
    "learn",
    "learn_profile",
    "least_share",
    "leaves",
    "like",
    "lost_share",
    "median_deviation",
    "micros",
    "need_columns",
    "nowcast",
    "offsets_of",
    "parse",
    "parse_schema",
    "partition_consumer",
    "path_part",
    "predict",
    "profile_at",
    "quality_of",
    "quantile",
    "quantity_of",
    "raw_avro_file",
    "read_table",
    "reasons_of",
    "resolve",
    "rows_where",
    "segments",
    "slope",
    "stamp_of",
    "standing_out",
    "suggestion",
    "tail_surprise",
    "tally",
    "time_weighted_mean",
    "traits",
    "type_of",
    "unknown_column",
    "user_columns",
    "variance",
    "weight_of",
    "with_measured",
    "with_points",
    "with_traits",
]
