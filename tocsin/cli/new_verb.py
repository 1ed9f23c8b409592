"""`tocsin new`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from tocsin.cli.console import DONE, WRONG, complain, note, say
from tocsin.cli.new_step import STEP
from tocsin.foundation.project import parts_folder, start_project

_TEMPLATES = {
    "aggregation": '''"""TODO: what it gives, in a few words."""

import pyarrow.compute as pc

from tocsin.api.aggregation import Aggregation, Column, accumulator


class {type}(Aggregation):
    """TODO: what it gives, with its unit; null when there are no values."""

    total = accumulator("sum")
    seen = accumulator("count")

    def finish(self, total: Column, seen: Column) -> Column:
        return pc.if_else(pc.equal(seen, 0), None, pc.divide(total, pc.cast(seen, "double")))

    # (configuration, readings, result): replace the None by what {name} gives of these readings.
    examples = [({{}}, [1.0, 2.0, 6.0], None)]
''',
    "detector": '''"""TODO: what it notices, in a few words."""

from __future__ import annotations

import numpy as np

from tocsin.api.detector import Detector, Floats, Param, State


class {type}(Detector):
    """TODO: what it notices. The score is 1 at the alarm line."""

    limit: float = Param(10.0, help="in the unit of the column", gt=0)

    start = (0.0,)

    def score(self, x: Floats, t: Floats, s: State) -> tuple[Floats, State]:
        return np.abs(x) / self.limit, s

    # (configuration, readings, scores): replace the NaN by the scores of these readings.
    examples = [({{"limit": 10.0}}, [5.0, 10.0, 20.0], [float("nan"), float("nan"), float("nan")])]
''',
    "enrich": '''"""TODO: what it adds, in a few words."""

from __future__ import annotations

import pyarrow.compute as pc

from tocsin.api.transform import Outcome, Param, Transform


class {type}(Transform):
    """TODO: what it changes; what null becomes."""

    factor: float = Param(1.0, help="multiplies the value")

    def apply(self, batch):  # type: ignore[no-untyped-def]
        at = batch.schema.get_field_index("value")
        column = pc.multiply(batch.column(at), self.factor)
        return Outcome(batch.set_column(at, batch.schema.field(at), column))

    # (configuration, values, values of the rows that are kept): replace the None by what comes out.
    examples = [({{"factor": 2.0}}, [1.0, 2.0], [None, None])]
''',
    "read": '''"""TODO: what it reads, in a few words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from tocsin.api.source import BEGINNING, Fetched, Param, Source, Split


class {type}(Source):
    """TODO: what it reads; one split a file, positions are row numbers."""

    folder: str = Param(help="folder of the files")

    def topic_name(self) -> str:
        return f"file:{{Path(self.folder).name}}"

    def fields(self) -> list[pa.Field]:
        return [pa.field("sensor_id", pa.string()), pa.field("at", pa.int64()), pa.field("value", pa.float64())]

    def splits(self, live: bool) -> list[Split]:
        files = sorted(Path(self.folder).glob("*.csv"))
        return [Split(str(file), at, 0, pa.csv.read_csv(file).num_rows) for at, file in enumerate(files)]

    def read(self, split: Split, start: int) -> Iterator[Fetched | None]:
        table = pa.csv.read_csv(split.topic).slice(start).cast(pa.schema(self.fields()))
        for batch in table.to_batches():
            offsets = np.arange(start, start + batch.num_rows)
            unknown = np.full(batch.num_rows, BEGINNING)
            start += batch.num_rows
            yield Fetched(batch, offsets, np.zeros(batch.num_rows, np.int64), unknown, start, batch.num_rows)

    @classmethod
    def sample(cls, folder: str) -> {type}:
        """TODO: write some readings into the folder, for the laws."""
        raise NotImplementedError("write some readings into the folder, and return the source that reads them")
''',
    "write": '''"""TODO: where it writes, in a few words."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from tocsin.api.sink import Param, Sink


class {type}(Sink):
    """TODO: what it writes; one file a unit of output, and a retried unit replaces its own file."""

    folder: Path = Param(help="folder that must exist")

    def file_span(self) -> int | None:
        return 3_600_000_000

    def write(self, batch: pa.RecordBatch, unit: str) -> None:
        part = self.folder / f".{{unit}}.part"
        pa.csv.write_csv(batch, part)
        os.replace(part, self.folder / f"{{unit}}.csv")

    @classmethod
    def sample(cls, folder: str) -> {type}:
        """TODO: the sink with this folder as its target, for the laws."""
        raise NotImplementedError("return the sink with this folder as its target")
''',
}
_TEMPLATES["clean"] = _TEMPLATES["enrich"]
_TEMPLATES["step"] = STEP
_FOLDERS = {"aggregation": "aggregations", "detector": "detectors", "step": "steps"}


def new(
    kind: Literal["aggregation", "detector", "read", "clean", "enrich", "step", "write"],
    name: str,
    *,
    to: Path | None = None,
) -> int:
    """Write the file of a new part, with an example that fails until it is filled in.

    Parameters
    ----------
    kind
        What it is; a verb is also the folder of the part.
    name
        Its name in snake case, such as stuck_pump.
    to
        Folder of parts. By default the project's, as its tocsin.toml says; without a project,
        `parts` in the working folder, and a tocsin.toml is written.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
        complain(f"'{name}' is not a name in snake case, such as stuck_pump")
        return WRONG
    folder = to or parts_folder()
    file = folder / _FOLDERS.get(kind, kind) / f"{name}.py"
    if file.exists():
        complain(f"{file} is already there")
        return WRONG
    file.parent.mkdir(parents=True, exist_ok=True)
    type_name = "".join(word.capitalize() for word in name.split("_"))
    file.write_text(_TEMPLATES[kind].format(type=type_name, name=name), "utf-8")
    project = start_project(folder)
    if project is not None:
        note(f"{project} is new: commands in its folder and below find the part")
    say(f"{file}\nfill in what says TODO, then: tocsin laws {file}")
    return DONE
