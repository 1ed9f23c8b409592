"""The names that a source may import.

For every source: `Source`, `Split`, `Fetched`, `Param`.
For an unknown arrival time: `BEGINNING`.
For parameters: `Duration`, `TextFile`.
For errors: `Fault` (a mistake in the configuration), `Failure` (an input that fails).
For files: `check_lake`, `readable_folders`, `matching`, `JudgedPath`, `pinned`, `format_timestamp`,
`Archive`.
For object stores: `StoreSettings`, `is_in_store`, `absolute_lake`, `judge_store`, `store_settings`,
`place_of`, `fetched`.
For the rows of files: `FilePiece`, `raw_avro_file`, `json_lines_file`, `count_of_lines`.
For CSV: `header_for`, `csv_file`.
For Parquet: `footer`, `leaves_of`, `check_columns`, `parquet_file`, `count_of_rows`,
`first_number`, `least_value`.
For schemas and messages: `parse_schema`, `arrow_fields`, `descriptions`, `notes_in_fields`,
`leaves`, `Leaf`, `JsonDecoder`, `Registry`.
For Kafka: `Kafka`, `MessageDecoder`, `Messages`, `PartitionConsumer`, `ConsumerPool`,
`TopicIdentity`, `topic_ends`, `reader_settings`; for a client's errors `is_passing`,
`says_offset_is_gone`, `says_topic_is_gone`.
For times and types of NumPy arrays: `micros`, `event_micros`, `likely_unit`, `Int64s`.
"""

from tocsin.foundation.failure import Failure
from tocsin.foundation.faults import Fault
from tocsin.foundation.lake_folder import absolute_lake, is_in_store
from tocsin.foundation.sandbox import (
    JudgedPath,
    check_lake,
    judge_store,
    matching,
    pinned,
    readable_folders,
    store_settings,
)
from tocsin.kafka.client_errors import (
    is_passing,
    says_offset_is_gone,
    says_topic_is_gone,
)
from tocsin.kafka.connection import Kafka
from tocsin.kafka.consumer import PartitionConsumer
from tocsin.kafka.consumer_pool import ConsumerPool
from tocsin.kafka.decoding import MessageDecoder, Messages
from tocsin.kafka.reader_settings import reader_settings
from tocsin.kafka.registry import Registry
from tocsin.kafka.topic_ends import topic_ends
from tocsin.kafka.topic_identity import TopicIdentity
from tocsin.kafka.topic_name import TopicName
from tocsin.kernels.avro.avro_file import FilePiece, raw_avro_file
from tocsin.kernels.avro.json_decoder import JsonDecoder
from tocsin.kernels.avro.total import Decoded, total
from tocsin.kernels.avro.types import Leaf, arrow_fields, descriptions, leaves, parse_schema
from tocsin.kernels.batch import BEGINNING, Int64s, micros
from tocsin.kernels.column_notes import notes_in_fields
from tocsin.kernels.time.event_times import event_micros
from tocsin.kernels.time.file_timestamps import format_timestamp
from tocsin.kernels.time.likely_unit import likely_unit
from tocsin.parts.archive import Archive
from tocsin.parts.fields import Duration, StoreSettings, TextFile
from tocsin.parts.files.byte_blocks import count_of_lines
from tocsin.parts.files.csv_file import csv_file, header_for
from tocsin.parts.files.json_lines_file import json_lines_file
from tocsin.parts.files.parquet_file import (
    check_columns,
    count_of_rows,
    first_number,
    footer,
    least_value,
    leaves_of,
    parquet_file,
)
from tocsin.parts.part import Param
from tocsin.parts.source import Fetched, Source, Split
from tocsin.table.places import place_of
from tocsin.table.stored import fetched
from tocsin.table.table import open_table

__all__ = [
    "BEGINNING",
    "Archive",
    "ConsumerPool",
    "Decoded",
    "Duration",
    "Failure",
    "Fault",
    "Fetched",
    "FilePiece",
    "Int64s",
    "JsonDecoder",
    "JudgedPath",
    "Kafka",
    "Leaf",
    "MessageDecoder",
    "Messages",
    "Param",
    "PartitionConsumer",
    "Registry",
    "Source",
    "Split",
    "StoreSettings",
    "TextFile",
    "TopicIdentity",
    "TopicName",
    "absolute_lake",
    "arrow_fields",
    "check_columns",
    "check_lake",
    "count_of_lines",
    "count_of_rows",
    "csv_file",
    "descriptions",
    "event_micros",
    "fetched",
    "first_number",
    "footer",
    "format_timestamp",
    "header_for",
    "is_in_store",
    "is_passing",
    "json_lines_file",
    "judge_store",
    "least_value",
    "leaves",
    "leaves_of",
    "likely_unit",
    "matching",
    "micros",
    "notes_in_fields",
    "open_table",
    "parquet_file",
    "parse_schema",
    "pinned",
    "place_of",
    "raw_avro_file",
    "readable_folders",
    "reader_settings",
    "says_offset_is_gone",
    "says_topic_is_gone",
    "store_settings",
    "topic_ends",
    "total",
]
