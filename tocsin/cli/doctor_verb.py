"""`tocsin doctor`."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys

from tocsin.cli.console import DONE, FAILED, say, show_json, table
from tocsin.engines.beam.prism import HOW_TO_GET_IT, find_prism
from tocsin.foundation.sandbox import BROKERS_VARIABLE
from tocsin.kafka.connection import Kafka

_NEEDED = (
    "apache-beam",
    "pyarrow",
    "confluent-kafka",
    "pyruhvro",
    "fastavro",
    "numba",
    "duckdb",
    "pydantic",
    "cyclopts",
)


def doctor(*, brokers: str | None = None, json: bool = False) -> int:
    """Say what is installed, what is missing, and how to get it.

    Parameters
    ----------
    brokers
        Also look whether these Kafka brokers answer.
    json
        Print the findings as JSON.
    """
    rows = [
        [
            "python",
            platform.python_version(),
            (3, 11) <= sys.version_info < (3, 14),
            "Python 3.11 to 3.13",
        ]
    ]
    for name in _NEEDED:
        try:
            rows.append([name, importlib.metadata.version(name), True, ""])
        except importlib.metadata.PackageNotFoundError:
            rows.append([name, "missing", False, f"pip install {name}"])
    needed = len(rows)
    prism = find_prism()
    rows.append(
        [
            "prism (run --live)",
            prism or "missing",
            prism is not None,
            "" if prism else HOW_TO_GET_IT,
        ]
    )
    java = shutil.which("java")
    rows.append(
        [
            "java (Flink, Kafka)",
            java or "missing",
            java is not None,
            "" if java else "a Java 17 runtime",
        ]
    )
    if brokers or os.environ.get(BROKERS_VARIABLE):
        rows.append(_kafka(Kafka(brokers=brokers)))
        needed += 1
    if json:
        show_json(
            [dict(zip(("what", "found", "good", "remedy"), row, strict=True)) for row in rows]
        )
    else:
        say(table(["what", "found", "good", "remedy"], rows))
    return (
        DONE
        if all(row[2] for row in rows[: len(_NEEDED) + 1])
        and (needed == len(_NEEDED) + 1 or rows[-1][2])
        else FAILED
    )


def _kafka(kafka: Kafka) -> list[object]:
    import confluent_kafka

    client = confluent_kafka.Producer(kafka.client_settings(log_level=0))
    try:
        brokers = client.list_topics(timeout=5).brokers
        return [f"kafka {kafka.address()}", f"{len(brokers)} brokers", True, ""]
    except confluent_kafka.KafkaException as error:
        return [
            f"kafka {kafka.address()}",
            "no answer",
            False,
            f"is it running, and reachable from here? ({error.args[0].str()})",
        ]
