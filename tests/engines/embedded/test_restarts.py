"""A job that is restarted after every few rows gives what its tests expect, in every step."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_joins import JOB as JOINS
from tocsin.compiler.checker import check_file, check_text
from tocsin.compiler.job import Job
from tocsin.compiler.test_rows import result_of, rows_of
from tocsin.engines.embedded.assembly import assemble, resolved
from tocsin.engines.embedded.checkpoints import Checkpoints
from tocsin.engines.embedded.rounds import Rounds
from tocsin.engines.embedded.source_reader import SourceReader
from tocsin.engines.reading.in_memory_source import InMemorySource, in_memory
from tocsin.parts.source import Fetched, Source, Split

ROOT = Path(__file__).parents[3]


_WHOLE = InMemorySource.read


def row_by_row(source: InMemorySource, split: Split, start: int) -> Iterator[Fetched | None]:
    """The rows of a split from a position, one at a time."""
    for whole in _WHOLE(source, split, 0):
        assert whole is not None
        for at in range(start, whole.messages):
            rows = slice(at, at + 1)
            yield replace(
                whole,
                batch=whole.batch.slice(at, 1),
                offsets=whole.offsets[rows],
                index=whole.index[rows],
                received=whole.received[rows],
                position=at + 1,
                messages=1,
            )


def jobs() -> list[Any]:
    found = [
        pytest.param(job, test, id=f"{path.stem}: {test['name']}")
        for path in sorted((ROOT / "jobs").glob("*.yaml"))
        for job in check_file(str(path))[:1]
        for test in job.tests
    ]
    joins = check_text(str(ROOT / "joins.yaml"), JOINS)[0]
    return [*found, *(pytest.param(joins, test, id=test["name"]) for test in joins.tests)]


@pytest.mark.parametrize(("job", "test"), jobs())
def test_restarts_change_nothing(
    job: Job, test: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(InMemorySource, "read", row_by_row)
    watched = {}
    for name in test["expect"]:
        step, _, output = name.partition(".")
        watched[name] = resolved(job, (step, output or "output"))
    chance, has_ended = random.Random(5), False
    came: dict[str, list[Any]] = {name: [] for name in watched}
    while not has_ended:
        checkpoints = Checkpoints(tmp_path, job)
        counts = checkpoints.counts()
        assembly = assemble(job, counts, sources=sources(job, test), only=set(watched.values()))
        readers = [
            SourceReader(name, source, counts, live=False, positions=checkpoints.positions(name))
            for name, source in assembly.sources.items()
        ]
        rounds = Rounds(assembly, readers, counts, set(watched.values()))
        checkpoints.restore(rounds)
        for _ in range(chance.randint(1, 3)):
            if not rounds.has_ended:
                rounds.play(chance.randint(1, 3))
        has_ended = rounds.has_ended
        for name, output in watched.items():
            came[name] += [row for batch in rounds.seen[output] for row in batch.to_pylist()]
        checkpoints.write(rounds, readers)
        checkpoints.close()
    outcome = result_of(test, came)
    assert outcome.passed, outcome.mismatches


def sources(job: Job, test: dict[str, Any]) -> dict[str, Source]:
    found: dict[str, Source] = {}
    for step in job.steps:
        if isinstance(step.part, Source):
            rows = rows_of(test["given"].get(step.name, []))
            found[step.name] = in_memory(step.part, rows, step.name)
    return found
