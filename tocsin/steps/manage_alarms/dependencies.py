"""Which asset depends on which: a camera on a switch, a switch on a link."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tocsin.foundation.faults import Fault
from tocsin.kernels.batch import Int64s
from tocsin.parts.fields import DataFile, Duration
from tocsin.parts.part import Param, Part
from tocsin.parts.tables import Types, checked_table, read_table


class Inhibition(Part):
    """Suppresses alarms of an asset while an upstream asset is in alarm."""

    table: DataFile = Param(help="CSV or Parquet table with one row per dependency")
    child: str = Param("child", help="column of the table with the dependent asset")
    parent: str = Param("parent", help="column of the table with the asset that it depends on")
    by: list[str] = Param(
        help="labels that may name an alarm's asset; the first that the alarm has counts",
        min_length=1,
    )
    wait: Duration = Param(
        "0 s",
        help="how long a raise waits for an upstream alarm to arrive, and after its end",
        validate_default=True,
    )

    def check(self) -> None:
        """Raises Fault for a table that cannot be read, or with a circle."""
        names = [self.child, self.parent]
        checked_table(self.table, names, "inhibit", "table", types=self.types())
        Topology(self)

    def types(self) -> Types:
        """The types of the table's columns: names of assets are text, even if they are digits."""
        return tuple((name, pa.string()) for name in (self.child, self.parent))


class Topology:
    """Assets by number, and the parent of each. Raises Fault if an asset depends on itself.

    names: of the assets. parents: number of the parent, -1 for none. has_children: whether any
    asset has it as parent.
    """

    def __init__(self, inhibition: Inhibition | None) -> None:
        self._labels = inhibition.by if inhibition else []
        pairs = []
        if inhibition is not None:
            table = read_table(inhibition.table, inhibition.types())
            columns = (
                table.column(name).cast(pa.string()).to_pylist()
                for name in (inhibition.child, inhibition.parent)
            )
            pairs = [pair for pair in zip(*columns, strict=True) if None not in pair]
        self._numbers: dict[str, int] = {}
        for pair in pairs:
            for name in pair:
                self._numbers.setdefault(name, len(self._numbers))
        self.names = list(self._numbers)
        self.parents: Int64s = np.full(len(self.names), -1, np.int64)
        for child, parent in pairs:
            self.parents[self._numbers[child]] = self._numbers[parent]
        self.has_children = np.isin(np.arange(len(self.names)), self.parents)
        self._check()

    def _check(self) -> None:
        for start in range(len(self.parents)):
            seen, at = {start}, int(self.parents[start])
            while at >= 0:
                if at in seen:
                    raise Fault(f"'{self.names[start]}' depends on itself", "inhibit", "table")
                seen.add(at)
                at = int(self.parents[at])

    def asset(self, labels: dict[str, str]) -> int:
        """The number of the asset that these labels of an alarm name, or -1."""
        named = next((labels[name] for name in self._labels if name in labels), None)
        return -1 if named is None else self._numbers.get(named, -1)

    def parents_of(self, assets: Int64s) -> Int64s:
        """The parent of each asset; -1 where the asset is -1, or has no parent."""
        if not len(self.parents):
            return np.full(len(assets), -1, np.int64)
        return np.where(assets >= 0, self.parents[assets], -1)
