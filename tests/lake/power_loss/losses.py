"""A power loss at each step of a recorded program."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.lake.power_loss.disk import Disk
from tests.lake.power_loss.phases import SEED
from tests.lake.power_loss.states import State, states
from tests.lake.power_loss.survival import lost, restore
from tests.lake.power_loss.trace import calls, play, record
from tests.lake.rounds.stage import Event, Stage


@dataclass
class Losses:
    """The outcome. steps: calls that changed the disk. states: different ones that were judged."""

    steps: int = 0
    states: int = 0
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Moment:
    """A moment of the program: the disk after a step, and the journal so far."""

    step: int
    phase: str
    call: str
    disk: Disk
    events: list[Event]


def power_losses(
    folder: Path,
    phases: list[str],
    judged: set[str],
    count: int = 3,
    every: int = 10,
    most: int = 6,
) -> Losses:
    """Record phases, and judge every state that a power loss may leave at a step of some of them.

    Args:
        folder: an empty one.
        phases: names, in order.
        judged: names of those whose steps are judged.
        count: random states for each step, in addition to those with one fault.
        every: in every n-th state, a writer repeats all units and goes further.
        most: of many unsynced changes of a step, those that differ alone are chosen at random.
    """
    stage = Stage(folder / "stage", SEED)
    stage.lake.mkdir(parents=True)
    record(folder / "calls.txt", "tests.lake.power_loss.phases", str(stage.folder), *phases)
    found, known = Losses(), set[bytes]()
    chance = random.Random(SEED)
    last = None
    for moment in _moments(folder / "calls.txt", stage):
        last = moment
        if moment.phase not in judged:
            continue
        found.steps += 1
        for state in states(moment.disk, chance, count, most):
            digest = _digest(state, moment.events)
            if digest not in known:
                known.add(digest)
                repeats = not found.states % every
                found.states += 1
                found.wrong += _judged(state, moment, stage, folder / "state", repeats)
    assert last is not None
    _check_simulation(last.disk, stage)
    return found


def _moments(log: Path, stage: Stage) -> Iterator[Moment]:
    """The moments of a recorded program. The disk changes when the next one is asked for."""
    root, journal = str(stage.lake), str(stage.folder / "journal.jsonl")
    disk = Disk(names={root: None}, sure={root: None})
    events: list[Event] = []
    phase, written, step = "", "", 0
    for call in calls(log):
        # A file that is cut in the middle has the states between the writes of one file.
        is_same = call.name == "write" and call.path == written
        if written and not is_same:
            step += 1
            yield Moment(step, phase, f"write {written}", disk, events)
            written = ""
        if call.name == "write" and call.path == journal:
            events.append(json.loads(call.texts[0]))
            phase = events[-1].get("name", phase)
        elif not play(call, disk, root):
            continue
        if call.name == "write" and call.path != journal:
            written = call.path
            continue
        step += 1
        yield Moment(step, phase, f"{call.name} {call.path}", disk, events)


def _judged(state: State, moment: Moment, stage: Stage, folder: Path, repeats: bool) -> list[str]:
    place = Stage(folder, SEED)
    place.folder.mkdir()
    restore(state, str(stage.folder), place.folder)
    wrong = lost(place, list(moment.events), repeats=repeats)[:3]
    shutil.rmtree(folder)
    return [f"{moment.phase}, step {moment.step} ({moment.call}): {problem}" for problem in wrong]


def _digest(state: State, events: list[Event]) -> bytes:
    found = hashlib.sha256(str(len(events)).encode())
    for path, content in state.items():
        found.update(path.encode() + b"\0" + (b"/" if content is None else content) + b"\0")
    return found.digest()


def _check_simulation(disk: Disk, stage: Stage) -> None:
    """The simulated disk, without a loss, is the real one."""
    real = {
        str(path): path.read_bytes() if path.is_file() else None for path in stage.lake.rglob("*")
    }
    simulated = {
        path: None if number is None else disk.files[number].content
        for path, number in disk.names.items()
        if path != str(stage.lake)
    }
    assert simulated == real
