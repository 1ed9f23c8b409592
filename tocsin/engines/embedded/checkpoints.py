"""What a checkpoint of a running job has, and how the job continues from it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import TypeAdapter

from tocsin import __version__
from tocsin.compiler.job import Job, Step
from tocsin.compiler.state_compatibility import changes, state_of
from tocsin.engines.embedded.checkpoint_store import CheckpointStore
from tocsin.engines.embedded.counts import Counts
from tocsin.engines.embedded.keyed_node import KeyedNode, Shard
from tocsin.engines.embedded.manifest import MANIFEST
from tocsin.engines.embedded.rounds import Rounds
from tocsin.engines.embedded.source_reader import SourceReader
from tocsin.engines.embedded.split_reader import Position
from tocsin.foundation.failure import Failure, Mistake
from tocsin.kernels.batch import BEGINNING
from tocsin.kernels.state.keyed_block import from_ipc, to_ipc
from tocsin.parts.sink import Sink
from tocsin.parts.stateful_step import StatefulStep

ENGINE = "embedded"
"""The engine that wrote a state, by name."""
_COUNTS = TypeAdapter(dict[str, dict[str, int]])
_POSITIONS = TypeAdapter(list[Position])


class Checkpoints:
    """The checkpoints of one job in a folder. Raises Failure where another process uses it."""

    def __init__(self, folder: Path, job: Job) -> None:
        self.store = CheckpointStore(folder)
        self.job = job
        try:
            self._manifest = self.store.read()
            if self._manifest is not None:
                refuse_other_state(folder, self._manifest, job)
        except Failure:
            self.store.close()
            raise
        # Bytes of the batches of logs: a batch of the last checkpoint is not encoded again.
        self._encoded: dict[int, tuple[pa.RecordBatch, bytes]] = {}
        # Once a start: it makes every operator.
        self._state = state_description(job)
        self._completed = 0
        self._last: dict[str, Any] = {}

    def counts(self) -> Counts:
        """The counts of the last checkpoint."""
        if self._manifest is None:
            return Counts()
        with _as_written(self.store.folder):
            return Counts(_COUNTS.validate_python(self._manifest["counts"]))

    def positions(self, source: str) -> list[Position]:
        """Where the splits of a source were; empty for a new start."""
        if self._manifest is None:
            return []
        with _as_written(self.store.folder):
            found = _POSITIONS.validate_python(self._manifest["sources"].get(source, []))
            if any(one.next < 0 for one in found):
                raise ValueError
            return found

    def discovered(self, source: str) -> int:
        """The time before which no split of a source was added that has no position."""
        if self._manifest is None:
            return BEGINNING
        with _as_written(self.store.folder):
            return int(self._manifest["discovered"].get(source, BEGINNING))

    def restore(self, rounds: Rounds) -> None:
        """Give each step the state of the last checkpoint."""
        if self._manifest is not None:
            with _as_written(self.store.folder):
                self._restore(rounds, self._manifest["steps"], self._manifest["pieces"])
        self._manifest = None

    def _restore(self, rounds: Rounds, steps: dict[str, Any], places: list[list[int]]) -> None:
        for place in rounds.assembly.places:
            node = place.node
            if not isinstance(node, KeyedNode) or node.name not in steps:
                continue
            for number, kept in steps[node.name].items():
                state = [self.store.piece(places[at]) for at in kept["state"]]
                log = [self._batch(self.store.piece(places[at])) for at in kept["log"]]
                node.shards[int(number)] = Shard(state, log, {}, kept["due"])

    def _batch(self, piece: bytes) -> pa.RecordBatch:
        batch = from_ipc(piece)
        self._encoded[id(batch)] = batch, piece
        return batch

    def write(self, rounds: Rounds, readers: list[SourceReader]) -> int:
        """Make a checkpoint durable: what was written before is. Returns the bytes it wrote.

        readers: those of the rounds.
        """
        pieces: list[bytes] = []
        encoded: dict[int, tuple[pa.RecordBatch, bytes]] = {}

        def added(piece: bytes) -> int:
            pieces.append(piece)
            return len(pieces) - 1

        def logged(batch: pa.RecordBatch) -> int:
            known = self._encoded.get(id(batch)) or (batch, to_ipc(batch, "lz4"))
            encoded[id(batch)] = known
            return added(known[1])

        steps = {
            place.node.name: {
                str(number): {
                    "due": shard.due,
                    "state": [added(piece) for piece in shard.state],
                    "log": [logged(batch) for batch in shard.log],
                }
                for number, shard in place.node.shards.items()
            }
            for place in rounds.assembly.places
            if isinstance(place.node, KeyedNode)
        }
        manifest = {
            "engine": ENGINE,
            "tocsin": __version__,
            "job": self.job.name,
            "at": time.time(),
            "state": self._state,
            "sources": {
                reader.name: [asdict(position) for position in reader.positions()]
                for reader in readers
            },
            "discovered": {reader.name: reader.discovered for reader in readers},
            "steps": steps,
            "counts": rounds.counts.by_step(),
        }
        began = time.monotonic()
        written = self.store.write(manifest, pieces)
        self._encoded = encoded
        self._completed += 1
        self._last = {
            "size": sum(map(len, pieces)),
            "written": written,
            "duration": int((time.monotonic() - began) * 1000),
            "at": manifest["at"],
        }
        return written

    def as_dict(self) -> dict[str, Any]:
        """The number of checkpoints of this process, and figures of the last one.

        size: bytes of state. written: bytes. duration: milliseconds. at: seconds since 1970.
        """
        return {"completed": self._completed, "failed": 0, **self._last}

    def close(self) -> None:
        """Let another process use the folder."""
        self.store.close()


def state_description(job: Job) -> dict[str, dict[str, Any]]:
    """What the state of a job depends on in this engine: a step has one shard, a sink its own."""
    return {name: _described(job.step(name), found) for name, found in state_of(job).items()}


def _described(step: Step, found: dict[str, Any]) -> dict[str, Any]:
    if isinstance(step.part, Sink):
        return found
    found = {key: value for key, value in found.items() if key != "shards"}
    if isinstance(step.part, StatefulStep) and step.schema is not None:
        found["version"] = step.part.operator(step.schema, "").version
    return found


def refuse_other_state(folder: Path, manifest: dict[str, Any], job: Job) -> None:
    """Raise Mistake for a checkpoint that the job cannot continue."""
    if manifest.get("engine") != ENGINE:
        raise Mistake(f"{folder} has a state of the engine {manifest.get('engine')}, not {ENGINE}")
    with _as_written(folder):
        name, found = manifest["job"], changes(manifest["state"], state_description(job))
    if name != job.name:
        raise Mistake(
            f"{folder} has the state of the job '{name}', and {job.file} is "
            f"'{job.name}': name another folder"
        )
    losses = [one for one in found if one.loses]
    if losses:
        texts = "; ".join(f"step '{one.step}' {one.sentence}" for one in losses)
        raise Mistake(f"{job.file} cannot continue from {folder}: {texts}")


@contextmanager
def _as_written(folder: Path) -> Iterator[None]:
    """Raise Failure where a manifest is not what `Checkpoints.write` makes."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError, pa.ArrowException):
        raise Failure(
            f"{folder / MANIFEST} is not what a job wrote: the checkpoint cannot be restored"
        ) from None
