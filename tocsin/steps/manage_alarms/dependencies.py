"""What hangs on what: a camera on a switch, a switch on a link."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tocsin.foundation.faults import Fault
from tocsin.kernels.batch import Int64s
from tocsin.parts.fields import DataFile, Duration
from tocsin.parts.part import Param, Part
from tocsin.parts.tables import checked_table, read_table


class Inhibition(Part):
    """While what a thing hangs on has an alarm, people are not told of the thing's own."""

    table: DataFile = Param(help="CSV or Parquet table of what hangs on what")
    child: str = Param("child", help="column of the table: the thing")
    parent: str = Param("parent", help="column of the table: what it hangs on")
    by: list[str] = Param(
        help="labels of an alarm that name the thing that it is about; the first that it has",
        min_length=1,
    )
    wait: Duration = Param(
        "0 s",
        help="how long a raise waits for an alarm of what it hangs on, or after its end",
        validate_default=True,
    )

    def check(self) -> None:
        """Raises Fault."""
        checked_table(self.table, [self.child, self.parent], "inhibit", "table")
        Topology(self)


class Topology:
    """Things by number, and what each hangs on, or -1. Raises Fault for a table in which a thing hangs on itself."""

    def __init__(self, inhibition: Inhibition | None) -> None:
        self.by = inhibition.by if inhibition else []
        self.number: dict[str, int] = {}
        pairs = []
        if inhibition is not None:
            table = read_table(inhibition.table)
            columns = (
                table.column(name).cast(pa.string()).to_pylist()
                for name in (inhibition.child, inhibition.parent)
            )
            pairs = [pair for pair in zip(*columns, strict=True) if None not in pair]
        for pair in pairs:
            for name in pair:
                self.number.setdefault(name, len(self.number))
        self.names = list(self.number)
        self.above: Int64s = np.full(len(self.number), -1, np.int64)
        for child, parent in pairs:
            self.above[self.number[child]] = self.number[parent]
        self.holds_up = np.isin(np.arange(len(self.number)), self.above)
        self._check()

    def _check(self) -> None:
        for start in range(len(self.above)):
            seen, at = {start}, int(self.above[start])
            while at >= 0:
                if at in seen:
                    raise Fault(f"'{self.names[start]}' hangs on itself", "inhibit", "table")
                seen.add(at)
                at = int(self.above[at])

    def thing(self, labels: dict[str, str]) -> int:
        """The number of what an alarm with these labels is about, or -1."""
        named = next((labels[name] for name in self.by if name in labels), None)
        return -1 if named is None else self.number.get(named, -1)
