"""Declarative tests of a job: rows in place of its sources, expected rows of its steps."""

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
from tocsin.engines.beam.running import local_pipeline, one_sentence_failures
from tocsin.engines.beam.yaml_adapter import Outputs, step_of
from tocsin.foundation.failure import Mistake
from tocsin.kernels.batch import BEGINNING
from tocsin.parts.part import Param
from tocsin.parts.sink import Sink
from tocsin.parts.source import Fetched, Source, Split

# Beam's local runner keeps its worker in this process, so it can collect a test's rows here.
_COLLECTED: dict[str, list[dict[str, Any]]] = {}


class InMemorySource(Source):
    """A test's rows, in their order. The field `partition` of a row sets its partition, else 0."""

    tables: dict[int, list[dict[str, Any]]] = Param(help="rows by partition")
    columns: list[Any] = Param(help="Arrow fields")

    def fields(self) -> list[pa.Field]:
        """The fields of the source that it replaces."""
        return self.columns

    def topic_name(self) -> str:
        """The topic that rejects and late rows name: `given`."""
        return "given"

    def splits(self, live: bool) -> list[Split]:
        """One split for each partition."""
        return [
            Split("given", number, 0, len(rows)) for number, rows in sorted(self.tables.items())
        ]

    def read(self, split: Split, start: int) -> Iterator[Fetched | None]:
        """All rows of a partition as one batch; the row number is the offset."""
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
    """The result of a job's test. mismatches: differences between expected and actual rows."""

    test: str
    mismatches: list[Mismatch] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether all outputs were as expected."""
        return not self.mismatches


def run_test(job: Job, test: dict[str, Any]) -> TestResult:
    """Run one test of a job file. Sources read the test's rows, and sinks write nothing.

    test: `name`, `given` (rows by source) and `expect` (rows by `Step` or `Step.output`).
    Raises Failure with a step's sentence.
    """
    _COLLECTED.clear()
    expected = {name: rows_of(written) for name, written in test["expect"].items()}
    pipeline = local_pipeline()
    with one_sentence_failures():
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
            rows = rows_of(test["given"].get(step.name, []))
            source = _in_memory(step.part, rows, f"the test '{test['name']}' of {step.name}")
            outputs[step.name] = Outputs(
                pipeline | step.name >> Read(source, step.name), step.aliases
            )
            continue
        inputs = [outputs[name][output] for _, (name, output) in step.sources()]
        collection = inputs[0]
        if step.is_united:
            sides = [side for side, _ in step.sources()]
            collection = dict(enumerate(inputs)) | f"{step.name}{INPUTS}" >> Unite(sides)
        outputs[step.name] = collection | step.name >> step_of(
            step.type, lowered[step.name]["config"]
        )
    for name in watched:
        step_name, _, output = name.partition(".")
        collection = outputs[step_name][output or "output"]
        _ = collection | f"Watch {name}" >> beam.Map(_collect, name)


def _in_memory(source: Source, rows: list[dict[str, Any]], what: str) -> InMemorySource:
    """A source of rows. Raises Mistake for a value that its column cannot hold."""
    tables: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        partition = row.get("partition", 0)
        if not isinstance(partition, int) or not 0 <= partition < 1 << 31:
            raise Mistake(f"{what}: '{partition}' is no partition")
        tables.setdefault(partition, []).append(row)
    for column in source.fields():
        try:
            _column([row.get(column.name) for row in rows], column.type)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            reason = (str(error).splitlines() or [""])[0]
            raise Mistake(f"{what}: '{column.name}' is {column.type}: {reason}") from None
    durations = {
        name: f"{getattr(source, name)} us"
        for name in ("out_of_orderness", "allowed_lateness", "max_future")
    }
    return InMemorySource.model_validate(
        {
            "tables": tables or {0: []},
            "columns": source.fields(),
            "event_time": source.event_time,
            "time_unit": source.time_unit,
            **durations,
        }
    )


def _collect(batch: pa.RecordBatch, name: str) -> None:
    _COLLECTED.setdefault(name, []).extend(batch.to_pylist())
