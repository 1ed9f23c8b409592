"""Kafka messages as readings: frames, schemas, decoding, and rejects for unreadable messages."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from tocsin.kafka.registry import Registry
from tocsin.kernels.avro.byte_strings import ByteStrings, Octets
from tocsin.kernels.avro.decode import Decoder, unnest
from tocsin.kernels.avro.json_decoder import JsonDecoder
from tocsin.kernels.avro.total import Decoded
from tocsin.kernels.avro.types import leaves, parse_schema
from tocsin.kernels.avro.wire import (
    GUID_HEADER,
    GUID_SIZE,
    Framed,
    Unframed,
    fingerprint_key,
    tombstones,
    unframe,
)
from tocsin.kernels.batch import BEGINNING, Int64s, no_rows
from tocsin.parts.source import Fetched, Split


@dataclass(frozen=True)
class Messages:
    """Messages as columns.

    Attributes:
        keys: large_binary.
        values: large_binary; null for a tombstone.
        offsets: offset of each message.
        received: the Kafka timestamp in microseconds, or BEGINNING if unknown.
        guids: uint8 of shape (messages, 18), or None if no message has a schema GUID header.
            A row holds the header's 17 bytes and a 1 if the message has one.
    """

    keys: pa.LargeBinaryArray
    values: pa.LargeBinaryArray
    offsets: Int64s
    received: Int64s
    guids: Octets | None = None

    @classmethod
    def of(cls, messages: list[Any]) -> Messages:
        """The messages of confluent-kafka's message objects."""
        times = [message.timestamp() for message in messages]
        return cls(
            pa.array([message.key() for message in messages], pa.large_binary()),
            pa.array([message.value() for message in messages], pa.large_binary()),
            np.fromiter((message.offset() for message in messages), np.int64, len(messages)),
            cls.micros(
                np.fromiter((t if kind else -1 for kind, t in times), np.int64, len(messages))
            ),
            _guids(messages),
        )

    @staticmethod
    def micros(times: Int64s) -> Int64s:
        """Kafka's timestamps in microseconds. Unknown (-1 ms) gives BEGINNING."""
        received: Int64s = np.where(times < 0, BEGINNING, times * 1000)
        return received

    def before(self, stop: int) -> Messages:
        """The messages whose offset is less than `stop`."""
        count = int(np.searchsorted(self.offsets, stop))
        guids = None if self.guids is None else self.guids[:count]
        return Messages(
            self.keys[:count],
            self.values[:count],
            self.offsets[:count],
            self.received[:count],
            guids,
        )

    def __len__(self) -> int:
        return len(self.offsets)


def _guids(messages: list[Any]) -> Octets | None:
    headers = [message.headers() for message in messages]
    if not any(headers):
        return None
    guids = np.zeros((len(messages), GUID_SIZE + 1), np.uint8)
    for row, header in enumerate(headers):
        guid = dict(header or ()).get(GUID_HEADER)
        if guid is not None and len(guid) == GUID_SIZE:
            guids[row] = [*guid, 1]
    return guids if guids.any() else None


class MessageDecoder:
    """A decoder of one topic's messages into the columns of one reader schema.

    Args:
        topic: the topic.
        reader: the reader schema as JSON.
        form: `confluent` (Confluent framing or single objects), `avro` (no frame) or `json`.
        writers: writer schemas by id.
        registry: where to look for other writer schemas, or None.
        readings: the field with a list of readings, or None for one reading in each message.
        fields: schema of the result.
    """

    def __init__(
        self,
        topic: str,
        reader: str,
        form: Literal["confluent", "avro", "json"],
        writers: dict[int, str],
        registry: Registry | None,
        readings: str | None,
        fields: pa.Schema,
    ) -> None:
        self.topic = topic
        self.reader = reader
        self.form = form
        self.registry = registry
        self.readings = readings
        self.fields = fields
        self._json = JsonDecoder(leaves(parse_schema(reader))) if form == "json" else None
        self._schemas = {f"id:{key}": text for key, text in writers.items()}
        # A parsed schema repeats its named types, and a fingerprint needs each once.
        self._schemas |= {fingerprint_key(json.loads(text)): text for text in writers.values()}
        self._decoders: dict[str, Decoder | str] = {}

    def decode(self, messages: Messages, split: Split, position: int) -> Fetched:
        """The readings of the messages in offset order, and rejects for unreadable messages.

        Args:
            messages: messages of one partition.
            split: their split.
            position: the next position to read.
        """
        unframed = self._unframe(messages)
        faults = list(unframed.faults)
        batches: list[tuple[pa.RecordBatch, Int64s, Int64s]] = []
        for group in unframed.groups:
            decoded = self._decode_group(group)
            if isinstance(decoded, str):
                faults += [(at, decoded) for at in group.positions.tolist()]
                continue
            faults += [(int(group.positions[at]), reason) for at, reason in decoded.faults]
            if decoded.batch.num_rows:
                batches.append(self._placed(decoded, group.positions))
        rejected = [self._reject(messages, split, at, reason) for at, reason in sorted(faults)]
        batch, owners, index = self._together(batches)
        received = messages.received[owners]

        def original(row: int) -> tuple[bytes | None, bytes | None]:
            return messages.keys[owners[row]].as_py(), messages.values[owners[row]].as_py()

        return Fetched(
            batch,
            messages.offsets[owners],
            index,
            received,
            position,
            len(messages),
            rejected,
            original,
        )

    def _unframe(self, messages: Messages) -> Unframed:
        values = messages.values
        if self.form == "confluent":
            return unframe(values, messages.guids)
        present = np.flatnonzero(values.is_valid().to_numpy(zero_copy_only=False))
        present_values = ByteStrings.of_array(values).take(present)
        return Unframed(
            [Framed("id:1", present, present_values)] if len(present) else [], tombstones(values)
        )

    def _decode_group(self, group: Framed) -> Decoded | str:
        if self._json is not None:
            return self._json.decode(group.values.to_list())
        decoder = self._decoder(group.key)
        return decoder if isinstance(decoder, str) else decoder.decode(group.values)

    def _decoder(self, key: str) -> Decoder | str:
        """The decoder of a schema key, or the reason why there is no decoder."""
        if key not in self._decoders:
            if key not in self._schemas and self.registry is not None:
                self._schemas |= self.registry.schemas(self.topic)
            if key not in self._schemas:
                known = ", ".join(sorted(k for k in self._schemas if k.startswith("id:"))) or "none"
                # A registry may get this schema later, so the reason is not cached.
                return self._remember(
                    key, f"unknown schema {key} (known: {known})", self.registry is None
                )
            try:
                self._decoders[key] = Decoder(self._schemas[key], self.reader)
            except ValueError as error:
                return self._remember(key, f"schema {key} does not fit: {error}", True)
        return self._decoders[key]

    def _remember(self, key: str, reason: str, lasting: bool) -> str:
        if lasting:
            self._decoders[key] = reason
        return reason

    def _placed(self, decoded: Decoded, positions: Int64s) -> tuple[pa.RecordBatch, Int64s, Int64s]:
        """The decoded rows, the position of each row's message, and its index in that message."""
        batch, rows = decoded.batch, decoded.rows
        if self.readings is None:
            index = np.arange(len(rows)) - np.searchsorted(rows, rows)
        else:
            batch, rows, index = unnest(batch, self.readings, rows)
        return batch.select(self.fields.names).cast(self.fields), positions[rows], index

    def _together(
        self, batches: list[tuple[pa.RecordBatch, Int64s, Int64s]]
    ) -> tuple[pa.RecordBatch, Int64s, Int64s]:
        if not batches:
            empty = no_rows(self.fields)
            return empty, np.zeros(0, np.int64), np.zeros(0, np.int64)
        if len(batches) == 1:
            return batches[0]
        batch = pa.concat_batches([batch for batch, _, _ in batches])
        owners, index = (np.concatenate([part[i] for part in batches]) for i in (1, 2))
        order = np.lexsort((index, owners))
        return batch.take(pa.array(order)), owners[order], index[order]

    def _reject(self, messages: Messages, split: Split, at: int, reason: str) -> dict[str, Any]:
        received = int(messages.received[at])
        return {
            "topic": split.topic,
            "partition": split.partition,
            "offset": int(messages.offsets[at]),
            "index": None,
            "timestamp": received if received > BEGINNING else None,
            "key": messages.keys[at].as_py(),
            "value": messages.values[at].as_py(),
            "step": "ReadTelemetry",
            "reason": "unreadable",
            "message": reason,
        }
