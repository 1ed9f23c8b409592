"""`tocsin doctor`."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from tocsin.cli.console import DONE, FAILED, say, show_json, table
from tocsin.engines.beam.prism import HOW_TO_GET_IT, find_prism
from tocsin.foundation.project import find_project
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


@dataclass(frozen=True)
class _Finding:
    what: str
    found: str
    good: bool
    remedy: str = ""
    is_needed: bool = True


def doctor(*, brokers: str | None = None, json: bool = False) -> int:
    """Check this machine: what is installed, what is missing, and how to get it.

    Optional programs may be missing; the exit code is 1 only without a required one.

    Parameters
    ----------
    brokers
        Kafka brokers to check as well [env: TOCSIN_BROKERS].
    json
        Print the findings as JSON.
    """
    findings = [*_packages(), *_programs()]
    if brokers or os.environ.get(BROKERS_VARIABLE):
        findings.append(_kafka(Kafka(brokers=brokers)))
    rows = [
        {key: value for key, value in asdict(found).items() if key != "is_needed"}
        for found in findings
    ]
    if json:
        show_json(rows)
    else:
        say(table(["what", "found", "good", "remedy"], [list(row.values()) for row in rows]))
    return DONE if all(found.good for found in findings if found.is_needed) else FAILED


def _packages() -> Iterator[_Finding]:
    is_supported = (3, 11) <= sys.version_info < (3, 14)
    yield _Finding("python", platform.python_version(), is_supported, "Python 3.11 to 3.13")
    for name in _NEEDED:
        try:
            yield _Finding(name, importlib.metadata.version(name), good=True)
        except importlib.metadata.PackageNotFoundError:
            yield _Finding(name, "missing", good=False, remedy=f"pip install {name}")


def _programs() -> Iterator[_Finding]:
    for what, path, remedy in (
        ("prism (run --runner prism)", find_prism(), HOW_TO_GET_IT),
        ("java (Flink, Kafka)", shutil.which("java"), "a Java 17 runtime"),
    ):
        is_there = path is not None
        yield _Finding(what, path or "missing", is_there, "" if is_there else remedy, False)
    project = find_project()
    if project is not None:
        is_there = project.parts.is_dir()
        remedy = "" if is_there else "`tocsin new` makes the folder"
        yield _Finding(f"parts of {project.file}", str(project.parts), is_there, remedy, False)


def _kafka(kafka: Kafka) -> _Finding:
    import confluent_kafka

    what = f"kafka {kafka.address()}"
    client = confluent_kafka.Producer(kafka.client_settings(log_level=0))
    try:
        brokers = client.list_topics(timeout=5).brokers
    except confluent_kafka.KafkaException as error:
        remedy = f"is it running, and reachable from here? ({error.args[0].str()})"
        return _Finding(what, "no answer", good=False, remedy=remedy)
    return _Finding(what, f"{len(brokers)} brokers", good=True)
