"""The names that a source may import.

For every source: `Source`, `Split`, `Fetched`, `Param`.
For an unknown arrival time: `BEGINNING`.
For parameters: `Duration`, `TextFile`.
For errors: `Fault` (a mistake in the configuration), `Failure` (an input that fails).
For files: `check_file`, `check_lake`, `format_timestamp`, `raw_avro_file`, `Archive`.
For schemas and messages: `parse_schema`, `arrow_fields`, `descriptions`, `notes_in_fields`,
`leaves`, `JsonDecoder`, `Registry`.
For Kafka: `Kafka`, `MessageDecoder`, `Messages`, `PartitionConsumer`, `ConsumerPool`,
`TopicIdentity`.
For times and types of NumPy arrays: `micros`, `Int64s`.
"""

from tocsin.foundation.failure import Failure
from tocsin.foundation.faults import Fault
from tocsin.foundation.sandbox import check_file, check_lake
from tocsin.kafka.connection import Kafka
from tocsin.kafka.consumer import PartitionConsumer
from tocsin.kafka.consumer_pool import ConsumerPool
from tocsin.kafka.decoding import MessageDecoder, Messages, Registry
from tocsin.kafka.topic_identity import TopicIdentity
from tocsin.kernels.avro.avro_file import raw_avro_file
from tocsin.kernels.avro.json_decoder import JsonDecoder
from tocsin.kernels.avro.total import Decoded, total
from tocsin.kernels.avro.types import arrow_fields, descriptions, leaves, parse_schema
from tocsin.kernels.batch import BEGINNING, Int64s, micros
from tocsin.kernels.column_notes import notes_in_fields
from tocsin.kernels.time.file_timestamps import format_timestamp
from tocsin.parts.archive import Archive
from tocsin.parts.fields import Duration, TextFile
from tocsin.parts.part import Param
from tocsin.parts.source import Fetched, Source, Split

__all__ = [
    "BEGINNING",
    "Archive",
    "ConsumerPool",
    "Decoded",
    "Duration",
    "Failure",
    "Fault",
    "Fetched",
    "Int64s",
    "JsonDecoder",
    "Kafka",
    "MessageDecoder",
    "Messages",
    "Param",
    "PartitionConsumer",
    "Registry",
    "Source",
    "Split",
    "TextFile",
    "TopicIdentity",
    "arrow_fields",
    "check_file",
    "check_lake",
    "descriptions",
    "format_timestamp",
    "leaves",
    "micros",
    "notes_in_fields",
    "parse_schema",
    "raw_avro_file",
    "total",
]
