"""Telemetry from a Kafka topic."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa
from confluent_kafka import Consumer, KafkaException, TopicPartition
from pydantic import PrivateAttr, model_validator

from tocsin.api.source import (
    Archive,
    ConsumerPool,
    Duration,
    Failure,
    Fault,
    Fetched,
    Kafka,
    MessageDecoder,
    Messages,
    Param,
    PartitionConsumer,
    Registry,
    Source,
    Split,
    TextFile,
    TopicIdentity,
    TopicName,
    arrow_fields,
    descriptions,
    is_passing,
    parse_schema,
    reader_settings,
    says_offset_is_gone,
    says_topic_is_gone,
    topic_ends,
)

_PATIENCE = 10.0


class ReadTelemetry(Source):
    """Reads Avro or JSON readings from a topic, each partition in order.

    Unreadable messages go to the output `rejects` with their original bytes and the reason, and so
    do readings without an event time or from the future. Offsets are kept in the checkpoint;
    `auto.offset.reset` is never used.
    """

    topic: TopicName = Param(help="topic name", examples=["city.air"])
    schema_: TextFile = Param(
        help="Avro schema that the job reads with (.avsc)",
        alias="schema",
        examples=["schemas/air_reading.avsc"],
    )
    format: Literal["confluent", "avro", "json"] = Param(
        "confluent",
        help="confluent: framed with a schema id (or single-object); "
        "avro: without a frame; json: objects",
    )
    writers: dict[int, TextFile] = Param(
        {}, help="schemas by id, without a registry; by default id 1 is `schema`"
    )
    registry: Registry | None = Param(None, help="a Confluent-compatible schema registry")
    readings: str | None = Param(
        None, help="array column with the readings, if a message holds many"
    )
    kafka: Kafka = Param(Kafka(), help="cluster and client settings")
    start: str = Param(
        "earliest",
        help="earliest, latest, or an ISO 8601 time with zone; ignored after a checkpoint",
    )
    offsets: dict[int, int] = Param({}, help="start offset by partition, over `start`")
    batch_rows: int = Param(
        20_000, help="approximate number of readings in a batch", ge=1, le=200_000
    )
    if_recreated: Literal["stop", "start_over"] = Param(
        "stop",
        help="live: if the topic was deleted and created again, stop the job, or read the new "
        "topic from its beginning",
    )
    archive: Archive | None = Param(
        None, help="keep the unchanged readings in a lake, for `tocsin backfill`"
    )
    max_ahead: Duration | None = Param(
        "18 h",
        help="readings further ahead of their partition's other messages do not advance its "
        "watermark until most messages are as far; null: all readings advance it",
        validate_default=True,
    )
    idle_after: str = Param(
        "1 min",
        help="a live partition without messages stops holding the watermark back after this",
    )

    _consumers: dict[tuple[str | None, int], tuple[PartitionConsumer, int]] = PrivateAttr(
        default_factory=dict
    )
    _reading: MessageDecoder | None = PrivateAttr(None)
    # By the id of the topic: a client that has seen the former topic may read on from there.
    _pools: dict[str | None, ConsumerPool] = PrivateAttr(default_factory=dict)
    _identity: TopicIdentity | None = PrivateAttr(None)
    _watching: Consumer | None = PrivateAttr(None)
    # Messages in one block: they hold about `batch_rows` readings.
    _most: int = PrivateAttr(0)

    @model_validator(mode="after")
    def _start(self) -> ReadTelemetry:
        if self.start not in ("earliest", "latest"):
            try:
                when = datetime.fromisoformat(self.start)
            except ValueError:
                raise ValueError(
                    f"`start` is '{self.start}'; "
                    "write earliest, latest or a time such as 2026-01-31T00:00Z"
                ) from None
            if when.tzinfo is None:
                raise ValueError(f"`start` is '{self.start}', a time without zone; add Z or +01:00")
        return self

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()
        fresh: dict[str, Any] = {"_wait": self._wait, "_piece": self._piece, "_consumers": {}}
        fresh |= {"_reading": None, "_watching": None, "_most": 0}
        fresh |= {"_pools": {}, "_identity": None}
        return {**state, "__pydantic_private__": fresh}

    def topic_name(self) -> str:
        return self.topic

    def fields(self) -> list[pa.Field]:
        try:
            fields = arrow_fields(parse_schema(self.schema_.text))
        except ValueError as error:
            raise Fault(f"{self.schema_.path}: {error}", "schema") from None
        for writer in self.writers.values():
            try:
                parse_schema(writer.text)
            except ValueError as error:
                raise Fault(f"{writer.path}: {error}", "writers") from None
        if self.readings is None:
            return fields
        return self._unnested(fields, self.readings)

    def units_of_fields(self) -> dict[str, str]:
        declared = parse_schema(self.schema_.text)["fields"]
        return {
            field["name"]: field["unit"] for field in declared if isinstance(field.get("unit"), str)
        }

    def descriptions_of_fields(self) -> dict[str, str]:
        return descriptions(parse_schema(self.schema_.text))

    @staticmethod
    def _unnested(fields: list[pa.Field], name: str) -> list[pa.Field]:
        found = next((field for field in fields if field.name == name), None)
        if found is None or not pa.types.is_list(found.type):
            raise Fault(f"no array column '{name}' in the schema", "readings")
        items = (
            list(found.type.value_type) if pa.types.is_struct(found.type.value_type) else [found]
        )
        others = [field for field in fields if field.name != name]
        clash = {f.name for f in items} & {f.name for f in others}
        if clash:
            raise Fault(f"message and reading both have a column '{min(clash)}'", "readings")
        return [*others, *items]

    # Splits.

    def splits(self, live: bool) -> list[Split]:
        consumer = self._consumer()
        try:
            metadata = consumer.list_topics(self.topic, timeout=_PATIENCE).topics[self.topic]
            if metadata.error is not None:
                raise Failure(
                    f"the topic '{self.topic}' does not exist at {self.kafka.address()}: "
                    f"{metadata.error.str()}"
                )
            partitions = sorted(metadata.partitions)
            unknown = sorted(set(self.offsets) - set(partitions))
            if unknown:
                raise Failure(
                    f"'{self.topic}' has no partition {unknown[0]}; "
                    f"it has {len(partitions)}, from 0"
                )
            topic_id = self._topic_identity().first(_PATIENCE)
            ends = topic_ends(
                self.kafka.client_settings(log_level=0), self.topic, partitions, _PATIENCE
            )
            return [
                replace(self._split(consumer, partition, ends[partition], live), topic_id=topic_id)
                for partition in partitions
            ]
        except KafkaException as error:
            raise self._unreachable(error, consumer) from None
        finally:
            consumer.close()

    def added(self, known: int, topic_id: str | None) -> list[Split] | None:
        """New partitions of the topic, or all of another topic that has taken its name.

        None if the broker does not answer: it is asked again.
        """
        if self._watching is None:
            self._watching = self._consumer()
        try:
            found = self._watching.list_topics(self.topic, timeout=_PATIENCE).topics[self.topic]
        except KafkaException:
            return None
        if self.if_recreated == "start_over" and topic_id is not None:
            latest = self._topic_identity().first(_PATIENCE)
            if latest is None:
                return None
            if latest != topic_id:
                known = 0
        else:
            # Where the id is not known yet, the topic counts as the one that is known.
            latest = self._topic_identity().latest() or topic_id
        return [
            Split(self.topic, partition, 0, None, latest)
            for partition in sorted(found.partitions)
            if partition >= known
        ]

    def _split(
        self, consumer: Consumer, partition: int, ends: tuple[int, int], live: bool
    ) -> Split:
        low, high = ends
        if partition in self.offsets:
            start = self.offsets[partition]
            if not low <= start <= high:
                raise Failure(
                    f"{self.topic}:{partition}: offset {start} is not in the topic, "
                    f"which has {low} to {high}"
                )
        elif self.start in ("earliest", "latest"):
            start = low if self.start == "earliest" else high
        else:
            moment = int(datetime.fromisoformat(self.start).timestamp() * 1000)
            found = consumer.offsets_for_times(
                [TopicPartition(self.topic, partition, moment)], timeout=_PATIENCE
            )
            start = found[0].offset if found[0].offset >= 0 else high
        return Split(self.topic, partition, start, None if live else high)

    def _topic_identity(self) -> TopicIdentity:
        if self._identity is None:
            self._identity = TopicIdentity(
                self.topic, self.kafka.client_settings(log_level=0), _PATIENCE
            )
        return self._identity

    def _unreachable(self, error: KafkaException, consumer: Consumer) -> Failure:
        cause = error.args[0]
        if says_topic_is_gone(cause.code()):
            return Failure(f"the topic '{self.topic}' does not exist at {self.kafka.address()}")
        return Failure(
            f"no answer from Kafka at {self.kafka.address()}: "
            f"{self.kafka.reason_of(cause, consumer)}"
        )

    def _consumer(self) -> Consumer:
        try:
            return Consumer(reader_settings(self.kafka))
        except KafkaException as error:
            raise Failure(f"Kafka settings refused: {error.args[0].str()}") from None

    # MessageDecoder.

    def read(self, split: Split, start: int) -> Iterator[Fetched | None]:
        if split.topic_id is not None and self._identity is None:
            # Before the first message: the topic may have changed while the job was stopped.
            self._topic_identity().first(_PATIENCE)
        if self._is_replaced(split, start):
            return
        consumer = self._assigned(split, start)
        position = start
        waited = time.monotonic()
        while split.stop is None or position < split.stop:
            messages = self._consume(consumer, split, position)
            if self._is_replaced(split, position):
                self._consumers.pop(split.identity, None)
                return
            if not len(messages):
                if split.stop is not None and time.monotonic() - waited > 30:
                    raise Failure(
                        f"{split.topic}:{split.partition}: no message at offset {position} "
                        f"for 30 s, expected up to {split.stop}"
                    )
                yield None
                if split.stop is not None:
                    # Compaction and transaction markers leave offsets without messages.
                    position = max(position, consumer.position() or position)
                continue
            waited = time.monotonic()
            position = int(messages.offsets[-1]) + 1
            if split.stop is not None and position > split.stop:
                messages, position = messages.before(split.stop), split.stop
            self._consumers[split.identity] = (consumer, position)
            fetched = self._decoder().decode(messages, split, position)
            if self.readings is not None and len(messages):
                self._most = max(
                    min(
                        self.batch_rows * len(messages) // max(fetched.batch.num_rows, 1),
                        self.batch_rows,
                    ),
                    1,
                )
            yield replace(fetched, end=consumer.end())

    def _consume(self, consumer: PartitionConsumer, split: Split, position: int) -> Messages:
        if not self._most:
            self._most = self.batch_rows if self.readings is None else 1
        most = (
            self._most
            if self._piece is None
            else max(self._most * self._piece // self.batch_rows, 1)
        )
        messages, faults = consumer.consume(min(most, self._most), self._wait)
        for code, text in faults:
            if not is_passing(code):
                self._judge(code, text, split, position)
        return messages

    def _judge(self, code: int, text: str, split: Split, position: int) -> None:
        """Raise Failure for a fault, unless it is that of a topic that was created again."""
        place = f"{split.topic}:{split.partition}"
        is_gone, is_away = says_offset_is_gone(code), says_topic_is_gone(code)
        if (is_gone or is_away) and split.topic_id is not None:
            self._topic_identity().first(_PATIENCE)
            if self._is_replaced(split, position):
                return
        if is_away and self.if_recreated == "start_over" and split.stop is None:
            return
        if is_gone:
            raise Failure(
                f"{place}: offset {position} is no longer in the topic "
                f"(retention has overtaken the job: {text}); "
                "start again with `start: earliest` or `offsets`, and count what is lost"
            )
        raise Failure(f"{place}: {text}")

    def _is_replaced(self, split: Split, position: int) -> bool:
        """Whether the split has ended, because another topic has its name.

        Raises:
            Failure: if that stops the job.
        """
        if split.topic_id is None or not self._topic_identity().is_surely_another(split.topic_id):
            return False
        place = f"{split.topic}:{split.partition}, offset {position}"
        why = self._topic_identity().why_another(split.topic_id, place)
        if self.if_recreated == "stop" or split.stop is not None:
            raise Failure(
                f"{why}; start the job without its state: `tocsin stop --discard`, "
                "then `tocsin submit`; or let it read on with `if_recreated: start_over`"
            )
        logging.getLogger("tocsin.kafka").warning("%s; the new one is read from its start", why)
        return True

    def _assigned(self, split: Split, start: int) -> PartitionConsumer:
        """The consumer at position `start`, with its prefetched messages, or a new one."""
        known = self._consumers.get(split.identity)
        if known is not None and known[1] == start:
            return known[0]
        if split.topic_id not in self._pools:
            self._pools[split.topic_id] = ConsumerPool(reader_settings(self.kafka))
        found = known[0] if known is not None else self._pools[split.topic_id].consumer()
        found.assign(split.topic, split.partition, start)
        self._consumers[split.identity] = (found, start)
        return found

    def _decoder(self) -> MessageDecoder:
        if self._reading is None:
            writers = {key: file.text for key, file in self.writers.items()}
            if not writers and self.registry is None:
                writers = {1: self.schema_.text}
            fields = pa.schema(self.fields())
            self._reading = MessageDecoder(
                self.topic,
                self.schema_.text,
                self.format,
                writers,
                self.registry,
                self.readings,
                fields,
            )
        return self._reading
