"""Declarative tests of a job: rows in place of its sources, expected rows of its steps."""

from __future__ import annotations

from typing import Any

from tocsin.compiler.job import Job
from tocsin.compiler.test_rows import TestResult, result_of, rows_of
from tocsin.engines.embedded.assembly import Output, assemble, leave_out_unread, resolved
from tocsin.engines.embedded.counts import Counts
from tocsin.engines.embedded.rounds import Rounds
from tocsin.engines.embedded.source_reader import SourceReader
from tocsin.engines.reading.in_memory_source import in_memory
from tocsin.parts.source import Source

_ROWS = 1_000_000


def run_test(job: Job, test: dict[str, Any]) -> TestResult:
    """Run one test of a job file. Sources read the test's rows, and sinks write nothing.

    test: `name`, `given` (rows by source) and `expect` (rows by `Step` or `Step.output`). Raises
    Failure with a step's sentence, and Mistake for a step that only Beam can run.
    """
    watched = {name: _output(job, name) for name in test["expect"]}
    sources: dict[str, Source] = {}
    for step in job.steps:
        if isinstance(step.part, Source):
            rows = rows_of(test["given"].get(step.name, []))
            what = f"the test '{test['name']}' of {step.name}"
            sources[step.name] = in_memory(step.part, rows, what)
    counts = Counts()
    assembly = assemble(job, counts, sources=sources, only=set(watched.values()))
    leave_out_unread(assembly, set(watched.values()))
    readers = [
        SourceReader(name, source, counts, live=False, positions=[])
        for name, source in assembly.sources.items()
    ]
    rounds = Rounds(assembly, readers, counts, set(watched.values()))
    while not rounds.has_ended:
        rounds.play(_ROWS)
    came = {
        name: [row for batch in rounds.seen[output] for row in batch.to_pylist()]
        for name, output in watched.items()
    }
    return result_of(test, came)


def _output(job: Job, name: str) -> Output:
    step, _, output = name.partition(".")
    return resolved(job, (step, output or "output"))
