"""The folder of a round: the lake, and what its processes say about their work."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lake.rounds.topic import SHARDS, START, Topic, moment_of
from tocsin.parts.registry import find
from tocsin.table.table import Table, open_table

DATASET, OWNER = "locks", "city/locks"
RETENTION = "3 d"
Event = dict[str, Any]


@dataclass(frozen=True)
class Stage:
    """A round's folder and seed."""

    folder: Path
    seed: int

    @property
    def lake(self) -> Path:
        """Folder of the lake."""
        return self.folder / "lake"

    @property
    def place(self) -> str:
        """Folder of the table."""
        return str(self.lake / DATASET)

    @property
    def topic(self) -> Topic:
        """The readings."""
        return Topic(self.seed)

    def table(self) -> Table | None:
        """The newest version, or None before the first."""
        return open_table(self.place)

    def sink(self, lake: Path, run: str = "") -> Any:
        """The step that writes the dataset."""
        made = find("write", "write_to_lake")(
            lake=str(lake),
            dataset=DATASET,
            span="6 h",
            shards=SHARDS,
            partition_by=["zone"],
            retention=RETENTION,
        )
        made.set_step_name(OWNER)
        made.set_run(run)
        return made

    def note(self, what: str, **about: Any) -> None:
        """Write an event to the journal; it stays if the process is killed."""
        line = json.dumps({"what": what, **about}) + "\n"
        number = os.open(self.folder / "journal.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(number, line.encode())
        finally:
            os.close(number)

    def events(self) -> list[Event]:
        """The journal so far."""
        try:
            text = (self.folder / "journal.jsonl").read_text()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in text.splitlines()]

    def count(self, what: str) -> int:
        """The number of events of a kind."""
        return sum(one["what"] == what for one in self.events())

    def checkpoint(self, number: int) -> int:
        """The moment from which an appender repeats its work after a restart."""
        try:
            return int((self.folder / f"checkpoint-{number}").read_text())
        except FileNotFoundError:
            return 0

    def save_checkpoint(self, number: int, moment: int) -> None:
        """Let an appender start at a moment the next time."""
        new = self.folder / f"checkpoint-{number}.{os.getpid()}"
        new.write_text(str(moment))
        new.replace(self.folder / f"checkpoint-{number}")

    def stop(self) -> None:
        """Let all care and readers end."""
        (self.folder / "stop").touch()

    def is_stopping(self) -> bool:
        """Whether care and readers end now."""
        return (self.folder / "stop").exists()


def marks_of(table: Table) -> list[int]:
    """The last moment of each shard that a version covers, or -1."""
    return [moment_of(table.mark(f"{OWNER}//s{shard:03d}")) for shard in range(SHARDS)]


def end_of_day(day: int) -> int:
    """The clock's time at which the rows of a day are past their retention."""
    return START + (day + 1 + 3) * 86_400_000_000
