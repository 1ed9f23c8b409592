"""What a source may import."""

from tocsin.foundation.failure import Failure
from tocsin.foundation.faults import Collector, Fault
from tocsin.foundation.sandbox import check_file, check_lake
from tocsin.kafka.connection import Kafka
from tocsin.kafka.consumer import PartitionConsumer, partition_consumer
from tocsin.kafka.decoding import MessageDecoder, Messages, Registry
from tocsin.kernels.avro.decode import raw_avro_file
from tocsin.kernels.avro.json_decoder import JsonDecoder
from tocsin.kernels.avro.types import arrow_fields, leaves, parse_schema
from tocsin.kernels.batch import BEGINNING, Int64s, micros
from tocsin.kernels.time.file_timestamps import format_timestamp
from tocsin.parts.archive import Archive
from tocsin.parts.fields import Duration, TextFile
from tocsin.parts.part import Param, need_columns
from tocsin.parts.source import Fetched, Source, Split

__all__ = [
    "BEGINNING",
    "Archive",
    "Collector",
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
    "arrow_fields",
    "check_file",
    "check_lake",
    "format_timestamp",
    "leaves",
    "micros",
    "need_columns",
    "parse_schema",
    "partition_consumer",
    "raw_avro_file",
]
