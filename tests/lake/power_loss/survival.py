"""The judgement of a lake after a power loss, whatever the disk has lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.lake.power_loss.phases import write
from tests.lake.power_loss.states import State
from tests.lake.rounds.facts import Facts
from tests.lake.rounds.snapshot import problems, snapshot
from tests.lake.rounds.stage import Event, Stage
from tests.lake.rounds.traces import traces
from tocsin.foundation.failure import Failure
from tocsin.lake.audit import audit_lake
from tocsin.lake.staging import is_staging, remove_folder


def restore(state: State, old: str, new: Path) -> None:
    """Write a state of the folder `old` to the empty folder `new`."""
    for path, content in state.items():
        target = new / path.removeprefix(old).lstrip("/")
        if content is None:
            target.mkdir(exist_ok=True)
        else:
            target.write_bytes(content)


def lost(stage: Stage, events: list[Event], *, repeats: bool) -> list[str]:
    """The faults of a lake after a power loss at the end of some events.

    repeats: whether a writer then repeats all units and goes further.
    """
    try:
        found = list(_lost(stage, events))
        return found or (list(_repeated(stage, events)) if repeats else [])
    except Failure as failure:
        return [failure.sentence]


def _lost(stage: Stage, events: list[Event]) -> Iterator[str]:
    facts = Facts(events)
    yield from _state(stage, facts)
    erased = {one["key"] for one in events if one["what"] == "erased"}
    yield from traces(Path(stage.place), erased)


def _repeated(stage: Stage, events: list[Event]) -> Iterator[str]:
    facts = Facts(events)
    moments = range(max(2, facts.flushed[0] + 1))
    write(stage, moments)
    again = Facts([*events, *stage.events()])
    yield from (f"after a replay: {problem}" for problem in _state(stage, again))
    for path in stage.lake.iterdir():
        if is_staging(path):
            remove_folder(path)
    yield from audit_lake(stage.lake).problems


def _state(stage: Stage, facts: Facts) -> list[str]:
    seen = snapshot(stage)
    assert seen is not None
    return problems(seen, stage.topic, facts, facts)
