"""What a data file's footer says: its run, times, shards and offsets."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from tocsin.foundation.failure import Failure
from tocsin.table import stored

RUN = "tocsin.run"
Ends = dict[tuple[str, str], int]
"""The last offset by topic and partition."""


@dataclass(frozen=True)
class Extent:
    """What a file holds.

    run: the bounded run that wrote it, or ''. start, until: bounds of its rows' times, microseconds
    since 1970. shards: of its units. ends: the last offset that it was made from.
    """

    run: str
    start: int
    until: int
    shards: frozenset[str]
    ends: Ends


def extent_of(footer: dict[str, str]) -> Extent:
    """The extent in a footer. Raises ValueError or KeyError where it lacks a part."""
    one = footer.get("tocsin.unit")
    units = [one] if one is not None else list(json.loads(footer["tocsin.units"]))
    offsets = json.loads(footer.get("tocsin.offsets", "{}"))
    return Extent(
        footer.get(RUN, ""),
        min(int(unit.split(".")[0]) for unit in units),
        int(footer["tocsin.until"]),
        frozenset(unit.split(".")[1] for unit in units),
        {
            (topic, partition): int(last)
            for topic, partitions in offsets.items()
            for partition, (_, last) in partitions.items()
        },
    )


class Extents:
    """The extents of a table's files; each footer is read once."""

    def __init__(self, place: str) -> None:
        self._place = Path(place)
        self._known: dict[str, Extent] = {}

    def note(self, path: str, footer: dict[str, str]) -> None:
        """Remember a file that this process wrote."""
        self._known[path] = extent_of(footer)

    def of(self, path: str) -> Extent:
        """The extent of a file, by its path in the table.

        Raises Failure with its name where its footer cannot be read.
        """
        if path not in self._known:
            file = self._place / path
            try:
                found = parquet.read_schema(stored.footer_of(file)).metadata or {}
                footer = {key.decode(): found[key].decode() for key in found if _is_ours(key)}
                self._known[path] = extent_of(footer)
            except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
                raise Failure(f"{file}: cannot be read: {reason}") from None
        return self._known[path]


def _is_ours(key: bytes) -> bool:
    return key.startswith(b"tocsin.")


def merged_ends(ends: Iterable[Ends]) -> Ends:
    """The greatest of the last offsets, by topic and partition."""
    found: Ends = {}
    for one in ends:
        for key, last in one.items():
            found[key] = max(found.get(key, last), last)
    return found
