"""A checkpoint is whole or it is the one before; only one process uses a folder."""

from __future__ import annotations

import json
import os
import random
import signal
from pathlib import Path

import pytest

from tocsin.engines.embedded.checkpoint_store import LOCK, CheckpointStore
from tocsin.engines.embedded.manifest import MANIFEST
from tocsin.foundation.failpoint import EMBEDDED, FAILPOINTS_VARIABLE
from tocsin.foundation.failure import Failure


def pieces_in(folder: Path) -> list[bytes]:
    """The pieces of the last checkpoint."""
    store = CheckpointStore(folder)
    found = store.read()
    pieces = [] if found is None else [store.piece(place) for place in found["pieces"]]
    store.close()
    return pieces


def test_a_checkpoint_has_its_pieces_and_writes_only_new_ones(tmp_path: Path) -> None:
    store, chance = CheckpointStore(tmp_path), random.Random(1)
    pieces: list[bytes] = []
    for _ in range(60):
        kept = [piece for piece in pieces if chance.random() < 0.8]
        new = [chance.randbytes(chance.randint(0, 300_000)) for _ in range(chance.randint(0, 4))]
        pieces = [*kept, *new]
        written = store.write({"n": 1}, [*pieces, *pieces[:1]])
        sizes = sum(path.stat().st_size for path in tmp_path.glob("*.segment"))
        live = sum(map(len, pieces))
        assert written in (sum(map(len, new)), live)
        # Dead bytes are bounded, and a piece that is there twice is written once.
        assert sizes <= max(8 << 20, 2 * live) + written
        store.close()
        assert pieces_in(tmp_path) == [*pieces, *pieces[:1]]
        store = CheckpointStore(tmp_path)
        known = store.read()
        assert known is not None
        pieces = [store.piece(place) for place in known["pieces"]][: len(pieces)]


def test_a_second_process_is_refused_and_the_next_is_not(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    with pytest.raises(Failure, match=rf"is in use by the process {os.getpid()}"):
        CheckpointStore(tmp_path)
    store.close()
    CheckpointStore(tmp_path).close()


def test_a_process_whose_lock_was_deleted_overwrites_nothing(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    store.write({}, [b"old"])
    (tmp_path / LOCK).unlink()
    another = CheckpointStore(tmp_path)
    another.read()
    another.write({}, [b"new"])
    with pytest.raises(Failure, match="was deleted: another process may use the folder"):
        store.write({}, [b"old again"])
    store.close()
    another.close()
    assert pieces_in(tmp_path) == [b"new"]


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_a_damaged_piece_is_found(damage: str, tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    store.write({}, [b"state" * 100])
    store.close()
    (segment,) = tmp_path.glob("*.segment")
    content = segment.read_bytes()
    if damage == "gone":
        segment.unlink()
    else:
        segment.write_bytes(content[:-1] if damage == "cut" else b"S" + content[1:])
    with pytest.raises(Failure, match=r"is damaged|cannot read"):
        pieces_in(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 2}'])
def test_a_strange_manifest_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(Failure, match=r"no manifest|reads the format"):
        pieces_in(tmp_path)


@pytest.mark.parametrize("point", [one for one in EMBEDDED if one.startswith("checkpoint.")])
def test_a_kill_leaves_the_checkpoint_before_or_the_new_one(point: str, tmp_path: Path) -> None:
    folder, points = tmp_path / "checkpoints", tmp_path / "points"
    points.mkdir()
    store = CheckpointStore(folder)
    store.write({}, [b"one", b"two"])
    store.close()
    child = os.fork()
    if not child:
        os.environ[FAILPOINTS_VARIABLE] = str(points)
        store = CheckpointStore(folder)
        known = store.read()
        assert known is not None
        first = store.piece(known["pieces"][0])
        (points / point).touch()
        store.write({}, [first, b"three"])
        os._exit(1)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    expected = [b"one", b"three"] if point == "checkpoint.committed" else [b"one", b"two"]
    assert pieces_in(folder) == expected
    # Nothing is left that no manifest names.
    named = json.loads((folder / MANIFEST).read_text())["segments"]
    assert len(list(folder.glob("*.segment"))) == len(named)
