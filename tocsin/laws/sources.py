"""Laws for sources, for those with a class method `sample(folder)`.

It writes data into the folder and returns the source that reads them.
"""

from __future__ import annotations

import tempfile
from typing import Any

from tocsin.laws.kit import demand, law
from tocsin.parts.source import Split


def _rows(source: Any, split: Split, start: int) -> list[tuple[int, str]]:
    found = []
    for fetched in source.read(split, start):
        if fetched is not None:
            found += [
                (int(o), str(row))
                for o, row in zip(fetched.offsets, fetched.batch.to_pylist(), strict=True)
            ]
    return found


def reading_from_any_position_gives_the_rest(part: Any) -> None:
    """From any position of a checkpoint, no row is repeated and none is lost."""
    if not hasattr(part, "sample"):
        return
    with tempfile.TemporaryDirectory() as folder:
        source = part.sample(folder)
        for split in source.splits(live=False):
            whole = _rows(source, split, split.start)
            assert split.stop is not None
            for start in range(
                split.start, split.stop + 1, max((split.stop - split.start) // 6, 1)
            ):
                rest = _rows(source, split, start)
                expected = [row for row in whole if row[0] >= start]
                demand(
                    rest == expected,
                    f"from position {start} of {split}: {len(rest)} rows, expected {len(expected)}",
                )


def the_columns_are_as_promised(part: Any) -> None:
    """`read` returns the columns that `fields` declares."""
    if not hasattr(part, "sample"):
        return
    with tempfile.TemporaryDirectory() as folder:
        source = part.sample(folder)
        for split in source.splits(live=False):
            for fetched in source.read(split, split.start):
                if fetched is not None:
                    came = [(f.name, str(f.type)) for f in fetched.batch.schema]
                    promised = [(f.name, str(f.type)) for f in source.fields()]
                    demand(came == promised, f"promised {promised}, gave {came}")


LAWS = [law(reading_from_any_position_gives_the_rest), law(the_columns_are_as_promised)]
