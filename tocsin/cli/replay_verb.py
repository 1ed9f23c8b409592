"""`tocsin replay`."""

from __future__ import annotations

from pathlib import Path

from tocsin.cli.console import DONE, complain, note
from tocsin.cli.publishing import Publisher
from tocsin.cli.recording_files import RecordingFile
from tocsin.cli.replay_order import TIME_UNITS, TimeOrder, moment
from tocsin.foundation.failure import Failure, Mistake
from tocsin.kafka.connection import Kafka

# Microseconds since 1970: the years 2000 and 2100.
_PLAUSIBLE = (946_684_800_000_000, 4_102_444_800_000_000)


def replay(
    recording: Path,
    *,
    topic: str,
    schema: Path,
    time_column: str = "received_at",
    time_unit: str | None = None,
    key: str = "sensor_id",
    speed: float = 0.0,
    brokers: str | None = None,
) -> int:
    """Publish a recording to a topic, at real, accelerated or full speed.

    The file is read twice, in pieces: first its times, then its rows. An unreadable row is reported
    before anything is sent.

    Parameters
    ----------
    recording
        File with the columns of the schema: Parquet (.parquet), CSV (.csv) or JSON lines (.jsonl,
        .ndjson, .json).
    topic
        Topic to write to; messages are Avro in Confluent framing.
    schema
        Avro schema of the messages.
    time_column
        Column that determines the order, the pace and the Kafka timestamps.
    time_unit
        Unit of a time column of numbers without a unit: seconds, milliseconds, microseconds or
        nanoseconds.
    key
        Column with the key of each message.
    speed
        Event time over real time: 1 is real time, 60 a minute in a second, 0 full speed.
    brokers
        Kafka brokers [env: TOCSIN_BROKERS].
    """
    if time_unit not in (None, *TIME_UNITS):
        raise Mistake(f"--time-unit: no unit '{time_unit}' (units: {', '.join(TIME_UNITS)})")
    text = schema.read_text("utf-8")
    file = RecordingFile(recording, text, time_column, time_unit)
    if key not in file.names:
        raise Mistake(
            f"{schema}: no field '{key}' for the key of the messages; "
            f"name one with --key (fields: {', '.join(file.names)})"
        )
    file.need(time_column, key)
    order = TimeOrder(file)
    if order.first is not None and not _PLAUSIBLE[0] <= order.first < _PLAUSIBLE[1]:
        complain(
            f"{recording}: warning: '{time_column}' begins at {moment(order.first)}; "
            "is its unit right? (--time-unit)",
            plain=True,
        )
    publisher = Publisher(Kafka(brokers=brokers), topic, text, speed, time_column, key)
    count = 0
    for batch, times in order.batches():
        try:
            count += publisher.publish(batch, times)
        except ValueError as error:
            raise Failure(
                f"{recording}: a row cannot be written with {schema}: {error}; "
                f"{count:,} readings were sent before"
            ) from None
        note(f"{count:,} of {order.rows:,} readings")
    publisher.flush()
    return DONE
