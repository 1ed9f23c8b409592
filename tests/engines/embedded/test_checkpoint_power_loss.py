"""After a power loss at any step, a folder has the last checkpoint that was made, or the next."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.embedded.checkpoint_writer import CHECKPOINTS, pieces_of
from tests.lake.power_loss.disk import Disk
from tests.lake.power_loss.states import State, states
from tests.lake.power_loss.survival import restore
from tests.lake.power_loss.trace import calls, has_strace, play, record
from tocsin.engines.embedded.checkpoint_store import CheckpointStore
from tocsin.foundation.failure import Failure

traced = pytest.mark.skipif(not has_strace(), reason="strace is missing, or may not trace here")


@traced
def test_no_checkpoint_is_lost_or_half_there(tmp_path: Path) -> None:
    judged, wrong = losses(tmp_path)
    assert wrong == []
    assert judged > 100


@traced
def test_a_program_that_waits_for_no_disk_is_found(tmp_path: Path) -> None:
    _, wrong = losses(tmp_path, "careless")
    assert wrong


def losses(folder: Path, *arguments: str) -> tuple[int, list[str]]:
    """The number of states that were judged, and what is wrong with them."""
    root, journal = folder / "checkpoints", folder / "journal"
    root.mkdir()
    record(
        folder / "calls.txt",
        "tests.engines.embedded.checkpoint_writer",
        str(root),
        str(journal),
        *arguments,
    )
    assert len(journal.read_text().splitlines()) == CHECKPOINTS
    judged, wrong, known = 0, list[str](), set[tuple[int, str]]()
    for made, state in _states(folder / "calls.txt", str(root), str(journal)):
        digest = made, repr(sorted(state.items()))
        if digest in known:
            continue
        known.add(digest)
        judged += 1
        place = folder / "state"
        place.mkdir()
        restore(state, str(root), place)
        wrong += [f"after {made}: {problem}" for problem in _problems(place, made)]
        shutil.rmtree(place)
    return judged, wrong


def _states(log: Path, root: str, journal: str) -> Iterator[tuple[int, State]]:
    """The number of checkpoints that were made, and a state of the disk then, for each step."""
    disk = Disk(names={root: None}, sure={root: None})
    chance, made = random.Random(1), 0
    for call in calls(log):
        if call.name == "write" and call.path == journal:
            made = int(call.texts[0])
        elif not play(call, disk, root):
            continue
        for state in states(disk, chance, count=3, most=4):
            yield made, state


def _problems(folder: Path, made: int) -> Iterator[str]:
    """The faults of a folder in which some checkpoints were made."""
    try:
        store = CheckpointStore(folder)
        found = store.read()
        number = 0 if found is None else int(found["made"])
        if number not in (made, made + 1):
            yield f"the checkpoint is {number}"
        elif found is not None and [store.piece(one) for one in found["pieces"]] != pieces_of(
            number
        ):
            yield f"the checkpoint {number} has other pieces"
        store.close()
    except Failure as failure:
        yield failure.sentence
