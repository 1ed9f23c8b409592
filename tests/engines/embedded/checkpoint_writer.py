"""Writes checkpoints, and a line after each: `python -m tests.engines.embedded.checkpoint_writer`.

Arguments: the folder of the checkpoints, the file of the lines, and `careless` for a program that
waits for no disk.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

from tocsin.engines.embedded.checkpoint_store import CheckpointStore

CHECKPOINTS = 8


def pieces_of(number: int) -> list[bytes]:
    """The pieces of a checkpoint: some are in the one before, too."""
    found = []
    for age in range(min(number, 3)):
        chance = random.Random(number - age)
        found.append(chance.randbytes(200 + 100 * (number % 2)))
    return found


def main() -> None:
    """Write all checkpoints."""
    if sys.argv[3:] == ["careless"]:
        os.fsync = lambda _: None
    store = CheckpointStore(Path(sys.argv[1]))
    known: dict[bytes, bytes] = {}
    for number in range(1, CHECKPOINTS + 1):
        # Equal pieces are the same object, as a step keeps them.
        pieces = [known.setdefault(piece, piece) for piece in pieces_of(number)]
        store.write({"made": number}, pieces)
        with Path(sys.argv[2]).open("a") as journal:
            journal.write(f"{number}\n")


if __name__ == "__main__":
    main()
