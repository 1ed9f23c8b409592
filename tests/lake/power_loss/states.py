"""The states in which a power loss may leave a disk: one fault at a time, and random ones."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from tests.lake.power_loss.disk import Disk, applied

State = dict[str, bytes | None]
"""The content of each file by path; None for a folder."""
Contents = dict[int, bytes]


def states(disk: Disk, chance: random.Random, count: int, most: int) -> Iterator[State]:
    """The states of a moment. most: changes and contents that differ alone.

    All unsynced changes survive, or none. Then each change alone differs from that, and each
    unsynced content alone. Then some random combinations.
    """
    every, none = [True] * len(disk.steps), [False] * len(disk.steps)
    whole = {number: file.content for number, file in enumerate(disk.files)}
    bare = {number: file.synced for number, file in enumerate(disk.files)}
    dirty = [number for number, file in enumerate(disk.files) if file.is_dirty]
    for kept, contents in ((every, whole), (none, bare), (every, bare), (none, whole)):
        yield _state(disk, kept, contents)
    for at in _some(range(len(disk.steps)), chance, most):
        for kept, contents in ((every, whole), (none, whole), (none, bare)):
            flipped = [one != (number == at) for number, one in enumerate(kept)]
            yield _state(disk, flipped, contents)
    for number in _some(dirty, chance, most):
        for content in disk.files[number].variants():
            yield _state(disk, every, {**whole, number: content})
            yield _state(disk, none, {**whole, number: content})
    for _ in range(count if disk.steps or dirty else 0):
        kept = [chance.random() < 0.5 for _ in disk.steps]
        some = {
            number: chance.choice([*disk.files[number].variants(), whole[number]])
            for number in dirty
        }
        yield _state(disk, kept, {**whole, **some})


def _some(every: Sequence[int], chance: random.Random, most: int) -> Sequence[int]:
    return every if len(every) <= most else chance.sample(every, most)


def _state(disk: Disk, kept: list[bool], contents: Contents) -> State:
    """The files and folders that can be reached. kept: whether each unsynced step survived."""
    steps = [step for step, survived in zip(disk.steps, kept, strict=True) if survived]
    names = applied(disk.sure, steps)
    # The root is the shortest, and is sure.
    root = min(names)
    found: State = {}
    for path in sorted(names):
        number = names[path]
        if path == root or path.rpartition("/")[0] in found:
            found[path] = None if number is None else contents[number]
    return found
