"""`tocsin simulate`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pyarrow as pa
from pyarrow import parquet

from tocsin.cli.console import DONE, note, say
from tocsin.cli.publishing import Publisher
from tocsin.foundation.whole_file import whole_file
from tocsin.kafka.connection import Kafka
from tocsin.kernels.time.durations import parse_duration
from tocsin.parts.fields import find_file
from tocsin.simulator.city import City
from tocsin.simulator.systems import SYSTEMS, system_of


def simulate(
    *,
    system: Literal["air", "climate", "locks", "traffic", "cameras", "links", "probes"] = "air",
    sensors: int = 100,
    duration: str = "1 h",
    cadence: str = "10 s",
    anomalies: int = 9,
    seed: int = 7,
    to: Path | None = None,
    topic: str | None = None,
    brokers: str | None = None,
    speed: float = 0.0,
    labels: Path | None = None,
    registry: Path | None = None,
) -> int:
    """Simulate a city's telemetry and write it to a Parquet file or a topic.

    The same seed gives the same city.

    Parameters
    ----------
    system
        Kind of sensors.
    sensors
        Number of sensors.
    duration
        Event time to simulate, such as '1 h' or '7 d'.
    cadence
        Interval between two readings of a sensor.
    anomalies
        Number of anomalies: spikes, stuck and silent series, attacks on locks, failing links …
    seed
        Seed of all random numbers.
    to
        Parquet file to write.
    topic
        Topic to write to; messages are Avro in Confluent framing.
    brokers
        Kafka brokers [env: TOCSIN_BROKERS].
    speed
        Event time over real time: 1 is real time, 0 full speed.
    labels
        Parquet file to write the labels of the anomalies to.
    registry
        CSV file to write the registry of the sensors to.
    """
    city = City(
        system=system,
        sensors=sensors,
        duration=parse_duration(duration),
        cadence=parse_duration(cadence),
        anomalies=anomalies,
        seed=seed,
        **SYSTEMS[system].settings,
    )
    simulated = system_of(city)
    if to is None and topic is None:
        say("name a target: --to FILE.parquet or --topic NAME")
        return 2
    write_tables(city, labels, registry)
    started, count = time.monotonic(), 0
    if to is not None:
        count = write_readings(simulated.readings(), to)
    if topic is not None:
        publisher = Publisher(
            Kafka(brokers=brokers), topic, schema_text(system), speed, key=simulated.key
        )
        count = sum(publisher.publish(batch) for batch in simulated.readings())
        publisher.flush()
    elapsed = time.monotonic() - started
    note(f"{count:,} readings in {elapsed:.1f} s, {count / max(elapsed, 1e-9):,.0f} a second")
    return DONE


def write_readings(batches: Iterator[pa.RecordBatch], to: Path) -> int:
    """Write readings to a Parquet file, and return their number."""
    writer: parquet.ParquetWriter | None = None
    count = 0
    with whole_file(to) as file:
        try:
            for batch in batches:
                writer = writer or parquet.ParquetWriter(file, batch.schema, compression="zstd")
                writer.write_batch(batch)
                count += batch.num_rows
        finally:
            if writer is not None:
                writer.close()
    return count


def schema_text(system: str) -> str:
    """The Avro schema of a system's readings."""
    home = Path(__file__).resolve().parents[2]
    return find_file(f"schemas/{SYSTEMS[system].schema}", [str(Path.cwd()), str(home)]).read_text(
        "utf-8"
    )


def write_tables(city: City, labels: Path | None, registry: Path | None) -> None:
    """Write the labels and the registry to the files that were named."""
    if labels is not None:
        with whole_file(labels) as file:
            parquet.write_table(system_of(city).labels(), file)
    if registry is not None:
        from pyarrow import csv

        with whole_file(registry) as file:
            csv.write_csv(system_of(city).registry(), file)
