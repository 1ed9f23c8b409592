"""Declarative tests of a job: rows in place of its sources, expected rows of its steps."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
import pyarrow as pa

from tocsin.compiler.job import Job
from tocsin.compiler.lower import INPUTS, lower
from tocsin.compiler.test_rows import TestResult, result_of, rows_of
from tocsin.engines.beam.io.source_dofn import Read
from tocsin.engines.beam.operators.union import Unite
from tocsin.engines.beam.running import local_pipeline, one_sentence_failures
from tocsin.engines.beam.state_sizes import our_state_sizes
from tocsin.engines.beam.yaml_adapter import Outputs, step_of
from tocsin.engines.reading.in_memory_source import in_memory
from tocsin.parts.sink import Sink
from tocsin.parts.source import Source

# Beam's local runner keeps its worker in this process, so it can collect a test's rows here.
_COLLECTED: dict[str, list[dict[str, Any]]] = {}


def run_test(job: Job, test: dict[str, Any]) -> TestResult:
    """Run one test of a job file. Sources read the test's rows, and sinks write nothing.

    test: `name`, `given` (rows by source) and `expect` (rows by `Step` or `Step.output`).
    Raises Failure with a step's sentence.
    """
    _COLLECTED.clear()
    pipeline = local_pipeline()
    with one_sentence_failures(), our_state_sizes():
        _expand(pipeline, job, test, list(test["expect"]))
        pipeline.run().wait_until_finish()
    return result_of(test, _COLLECTED)


def _expand(pipeline: Any, job: Job, test: dict[str, Any], watched: list[str]) -> None:
    lowered = {step["name"]: step for step in lower(job)["pipeline"]["transforms"]}
    outputs: dict[str, Any] = {}
    for step in job.steps:
        if isinstance(step.part, Sink):
            continue
        if isinstance(step.part, Source):
            rows = rows_of(test["given"].get(step.name, []))
            source = in_memory(step.part, rows, f"the test '{test['name']}' of {step.name}")
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


def _collect(batch: pa.RecordBatch, name: str) -> None:
    _COLLECTED.setdefault(name, []).extend(batch.to_pylist())
