"""Laws for sinks, for those with a class method `sample(folder)`.

It returns the sink with this folder as its target.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

from tocsin.laws.kit import demand, law
from tocsin.laws.readings import START, batch, series


def _contents(folder: str) -> dict[str, str]:
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def writing_a_unit_twice_equals_once(part: Any) -> None:
    """After a retry, the files and their bytes are the same."""
    if not hasattr(part, "sample"):
        return
    with tempfile.TemporaryDirectory() as folder:
        sink = part.sample(folder)
        rows, unit = batch(series(3)), f"{START}.s000.r0"
        sink.write(rows, unit)
        sink.flush()
        once = _contents(folder)
        sink.write(rows, unit)
        sink.flush()
        demand(bool(once), "nothing was written")
        demand(
            _contents(folder) == once,
            f"a second write changed {sorted(once)} to {sorted(_contents(folder))}",
        )


def units_do_not_meet(part: Any) -> None:
    """Writing a unit does not change the files of another."""
    if not hasattr(part, "sample"):
        return
    with tempfile.TemporaryDirectory() as folder:
        sink = part.sample(folder)
        rows = batch(series(3))
        sink.write(rows, f"{START}.s000.r0")
        first = _contents(folder)
        sink.write(rows.slice(5), f"{START}.s001.r0")
        after = _contents(folder)
        demand(
            {name: after.get(name) for name in first} == first,
            "a second unit changed the files of the first",
        )
        demand(len(after) > len(first), "a second unit wrote no file of its own")


LAWS = [law(writing_a_unit_twice_equals_once), law(units_do_not_meet)]
