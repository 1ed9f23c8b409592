"""Declarative tests of a job: given rows in place of its sources, what comes out of its steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from tocsin.compiler.job import Job
from tocsin.compiler.lower import INPUTS, lower
from tocsin.compiler.test_rows import Mismatch, compare, rows_of
from tocsin.engines.beam.io.source_dofn import Read
from tocsin.engines.beam.operators.union import Unite
from tocsin.engines.beam.running import local_pipeline, told_in_a_sentence
from tocsin.engines.beam.yaml_adapter import Outputs, step_of
from tocsin.kernels.batch import BEGINNING
from tocsin.parts.part import Param
from tocsin.parts.sink import Sink
from tocsin.parts.source import Fetched, Source, Split

# Beam's local runner keeps the worker in this process, so what a test collects is here.
_COLLECTED: dict[str, list[dict[str, Any]]] = {}


class Given(Source):
    """Rows of a test as one partition, or as many as their `partition` says, in their order."""

    tables: dict[int, list[dict[str, Any]]] = Param(help="rows by partition")
    columns: list[Any] = Param(help="Arrow fields")

    def fields(self) -> list[pa.Field]:
        """The fields of the source that it stands for."""
        return self.columns

    def topic_name(self) -> str:
        """Where rejects and late rows say they come from."""
        return "given"

    def splits(self, live: bool) -> list[Split]:
        """One a partition."""
        return [
            Split("given", number, 0, len(rows)) for number, rows in sorted(self.tables.items())
        ]

    def read(self, split: Split, start: int) -> Iterator[Fetched | None]:
        """All rows at once."""
        rows = self.tables[split.partition]
        if not rows:
            return
        schema = pa.schema(self.columns)
        arrays = [_column([row.get(f.name) for row in rows], f.type) for f in schema]
        batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
        size = len(rows)
        offsets = np.arange(size, dtype=np.int64)
        yield Fetched(
            batch, offsets, np.zeros(size, np.int64), np.full(size, BEGINNING), size, size
        )


def _column(values: list[Any], kind: Any) -> Any:
    if pa.types.is_timestamp(kind):
        return pa.array([None if v is None else str(v) for v in values], pa.string()).cast(kind)
    if pa.types.is_floating(kind):
        return pa.array([None if v is None else float(v) for v in values], kind)
    return pa.array(values, kind)


@dataclass(frozen=True)
class TestResult:
    """How a test of a job went."""

    test: str
    mismatches: list[Mismatch] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether all that was expected came out."""
        return not self.mismatches


def run_test(job: Job, test: dict[str, Any]) -> TestResult:
    """Run one test: sinks write nothing, sources give the test's rows."""
    _COLLECTED.clear()
    expected = {name: rows_of(written) for name, written in test["expect"].items()}
    pipeline = local_pipeline()
    with told_in_a_sentence():
        _expand(pipeline, job, test, list(expected))
        pipeline.run().wait_until_finish()
    mismatches = []
    for name, wanted in expected.items():
        contains = bool(
            isinstance(test["expect"][name], dict) and test["expect"][name].get("contains")
        )
        mismatches += compare(name, _COLLECTED.get(name, []), wanted, contains=contains)
    return TestResult(str(test["name"]), mismatches)


def _expand(pipeline: Any, job: Job, test: dict[str, Any], watched: list[str]) -> None:
    lowered = {step["name"]: step for step in lower(job)["pipeline"]["transforms"]}
    outputs: dict[str, Any] = {}
    for step in job.steps:
        if isinstance(step.part, Sink):
            continue
        if isinstance(step.part, Source):
            rows = _given(step.part, rows_of(test["given"].get(step.name, [])))
            outputs[step.name] = Outputs(
                pipeline | step.name >> Read(rows, step.name), step.aliases
            )
            continue
        given = [outputs[source][output] for _, (source, output) in step.sources()]
        collection = given[0]
        if step.is_united:
            sides = [side for side, _ in step.sources()]
            collection = dict(enumerate(given)) | f"{step.name}{INPUTS}" >> Unite(sides)
        outputs[step.name] = collection | step.name >> step_of(
            step.type, lowered[step.name]["config"]
        )
    for name in watched:
        step_name, _, output = name.partition(".")
        collection = outputs[step_name][output or "output"]
        _ = collection | f"Watch {name}" >> beam.Map(_collect, name)


def _given(source: Source, rows: list[dict[str, Any]]) -> Given:
    tables: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        tables.setdefault(int(row.get("partition", 0)), []).append(row)
    spans = {
        name: f"{getattr(source, name)} us"
        for name in ("out_of_orderness", "allowed_lateness", "max_future")
    }
    return Given.model_validate(
        {
            "tables": tables or {0: []},
            "columns": source.fields(),
            "event_time": source.event_time,
            **spans,
        }
    )


def _collect(batch: pa.RecordBatch, name: str) -> None:
    _COLLECTED.setdefault(name, []).extend(batch.to_pylist())
