"""`tocsin demo`."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from pyarrow import csv, parquet

from tocsin.cli.alarms_verb import read_alarms
from tocsin.cli.console import DONE, FAILED, WRONG, complain, note, say, table
from tocsin.cli.ledger_table import ledger_table
from tocsin.cli.publishing import Publisher
from tocsin.cli.simulate_verb import schema_text
from tocsin.compiler.checker import check_file
from tocsin.foundation.sandbox import BROKERS_VARIABLE, FOLDERS_VARIABLE, VARIABLES_VARIABLE
from tocsin.kafka.connection import Kafka
from tocsin.parts.fields import find_file
from tocsin.simulator.city import City, readings
from tocsin.simulator.embedded_kafka import EmbeddedKafka
from tocsin.simulator.scoring import Score, score

_MARK = ".tocsin-demo"
_QUERY = """
select district, metric, count(*) as windows, round(avg(mean), 1) as mean,
       round(max(p95), 1) as p95, round(avg(completeness), 3) as completeness
from air_quality where metric in ('pm25', 'no2') group by all order by metric, district limit 8"""


def demo(*, sensors: int = 100, seed: int = 7, to: Path = Path("demo-output")) -> int:
    """Simulate an hour of a city, run jobs/air_quality.yaml on it and show the results.

    The demo needs neither Java nor a network.

    Parameters
    ----------
    sensors
        Number of air sensors; each reports four metrics every 10 s.
    seed
        Seed of the simulation.
    to
        Folder for the lake and the tables; the files of an earlier demo are removed.
    """
    if not _is_free(to):
        complain(f"'{to}' is not empty and not a demo's; name another folder with --to")
        return WRONG
    _clear(to)
    from tocsin.engines.embedded.running import run_bounded

    city = City(sensors=sensors, seed=seed)
    started = time.monotonic()
    with EmbeddedKafka() as kafka:
        os.environ[BROKERS_VARIABLE] = kafka.brokers
        os.environ["LAKE"] = str(to / "lake")
        os.environ[FOLDERS_VARIABLE] = str(to.resolve())
        os.environ[VARIABLES_VARIABLE] = "LAKE,AIR_REGISTRY"
        os.environ["AIR_REGISTRY"] = str((to / "air_sensors.csv").resolve())
        note(f"1. an embedded Kafka runs at {kafka.brokers}")
        parquet.write_table(city.labels(), to / "labels.parquet")
        csv.write_csv(city.places().registry(), to / "air_sensors.csv")
        sent = _publish(city)
        _spoil(kafka.brokers)
        kafka.ensure_whole("city.air")
        note(
            f"2. an hour of {sensors} sensors: {sent:,} readings and 3 broken messages "
            "sent to city.air"
        )
        home = Path(__file__).resolve().parents[2]
        job, _ = check_file(str(find_file("jobs/air_quality.yaml", [str(Path.cwd()), str(home)])))
        note("3. jobs/air_quality.yaml runs …")
        kafka.create("city.alarms")
        ledger = run_bounded(job)
        alarms = list(read_alarms(Kafka(), "city.alarms", follow=False))
    say("\nLedger: every row is accounted for\n")
    say(ledger_table(ledger))
    _show_lake(to / "lake")
    result = score(city.labels(), alarms)
    _show_alarms(alarms, result)
    say(
        f"\nThe files are in {to}/: lake/, labels.parquet, air_sensors.csv. "
        f"The demo took {time.monotonic() - started:.0f} s."
    )
    command = f'tocsin lake {to}/lake "select * from air_quality limit 5"'  # noqa: S608 - shown
    say(f"Query the lake: {command}")
    return DONE if ledger.balances else FAILED


def _is_free(to: Path) -> bool:
    """Whether a folder is missing, empty or a demo's."""
    return not to.exists() or not any(to.iterdir()) or (to / _MARK).exists()


def _clear(to: Path) -> None:
    """Remove an earlier demo. The mark stays, so an interrupted demo can be cleared, too."""
    to.mkdir(parents=True, exist_ok=True)
    (to / _MARK).touch()
    for path in to.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != _MARK:
            path.unlink()


def _publish(city: City) -> int:
    """Send the readings of a city. The client ends here: the broker ends before the process."""
    publisher = Publisher(Kafka(), "city.air", schema_text("air"), 0)
    sent = sum(publisher.publish(batch) for batch in readings(city))
    publisher.flush()
    return sent


def _spoil(brokers: str) -> None:
    """Send three messages that cannot be read: every real topic has some."""
    import confluent_kafka

    producer = confluent_kafka.Producer({"bootstrap.servers": brokers, "log_level": 0})
    for value in (b"not avro", b"\x00\x00\x00\x00\x09unknown schema", b"\x00\x00\x00\x00\x01\x0e"):
        producer.produce("city.air", value)
    producer.flush(10)


def _show_lake(folder: Path) -> None:
    from tocsin.lake.query import open_lake

    connection, datasets = open_lake(folder)
    files = ", ".join(f"{d.name} {d.files} files, {d.rows:,} rows" for d in datasets)
    say(f"\nLake: {files}\n")
    result = connection.execute(_QUERY)
    say(
        table(
            [column[0] for column in result.description],
            [list(row) for row in result.fetchall()],
            right=(2, 3, 4, 5),
        )
    )


def _show_alarms(alarms: list[dict[str, object]], result: Score) -> None:
    kinds = sorted({*result.found, *result.missed})
    counts = [(kind, result.found.get(kind, 0), result.missed.get(kind, 0)) for kind in kinds]
    rows = [[kind, found + missed, found, missed] for kind, found, missed in counts]
    say(
        f"\nAlarms: {len(alarms)} events, compared with the injected anomalies; "
        f"{len(result.false)} false alarms\n"
    )
    say(table(["anomaly", "injected", "found", "missed"], rows, right=(1, 2, 3)))
    for alarm in alarms[:3]:
        say(f"  {alarm['dateIssued']}  {alarm['severity']:6}  {alarm['description']}")
