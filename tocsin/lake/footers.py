"""What the footers of a lake's files say, and the rows of a file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from tocsin.foundation.failure import Failure
from tocsin.kernels.batch import merge_offsets
from tocsin.table import stored

# The whole numbers of a footer, in microseconds.
_NUMBERS = {"tocsin.until", "tocsin.retention", "tocsin.lateness"}
_NUMBER = re.compile(r"-?[0-9]{1,19}")

_FEW_ROWS = 65_536
# Files that are read at once. The library releases Python's lock while it reads.
_READERS = 4

LakeOffsets = dict[str, dict[str, tuple[int, int]]]
"""First and last offset by topic and partition."""


def footer(file: Path) -> dict[str, str]:
    """A file's metadata that tocsin wrote, by key (`tocsin.…`).

    Raises Failure with the file's name where it cannot be read.
    """
    return footer_in(schema_in(file), file)


def footer_in(schema: pa.Schema, file: Path) -> dict[str, str]:
    """The metadata that tocsin wrote, in a file's schema. Raises Failure with the file's name."""
    try:
        found = {
            key.decode(): value.decode()
            for key, value in (schema.metadata or {}).items()
            if key.startswith(b"tocsin.")
        }
    except UnicodeDecodeError:
        raise Failure(_not_ours(file, "no UTF-8")) from None
    for name in _NUMBERS & found.keys():
        if not _NUMBER.fullmatch(found[name]):
            raise Failure(_not_ours(file, f"'{name}' is no number"))
    return found


def _not_ours(file: Path, why: str) -> str:
    return f"{file}: cannot be read: its footer is not tocsin's: {why}"


def schema_in(file: Path) -> pa.Schema:
    """The columns of a file. Raises Failure with its name where it cannot be read."""
    try:
        return parquet.read_schema(stored.footer_of(file))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise Failure(f"{file}: cannot be read: {brief(error)}") from None


def table_in(file: Path, columns: list[str] | None = None) -> pa.Table:
    """The rows of a file, with its footer.

    columns: None for all. Raises Failure with its name where it cannot be read.
    """
    try:
        # Threads, also those of a buffer, cost more than they save in a small file.
        with parquet.ParquetFile(stored.fetched(file), pre_buffer=False) as opened:
            return opened.read(columns, use_threads=opened.metadata.num_rows > _FEW_ROWS)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise Failure(f"{file}: cannot be read: {brief(error)}") from None


def footers_of(files: Iterable[Path]) -> list[dict[str, str]]:
    """The footers of files, in their order. Raises Failure as `footer`."""
    with ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(footer, files))


def tables_in(files: Iterable[Path]) -> list[Any]:
    """The rows of files, in their order. Raises Failure as `table_in`."""
    listed = list(files)
    stored.fetch(listed)
    with ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(table_in, listed))


def unreadable(files: Iterable[Path]) -> dict[Path, str]:
    """The files that are missing or whose footer cannot be read, each with a sentence."""
    found = {}
    for file in files:
        try:
            head = footer(file)
            merged([offsets_in(head)])
            units_in(head)
        except Failure as failure:
            found[file] = failure.sentence
        except (ValueError, AttributeError, TypeError) as error:
            found[file] = _not_ours(file, brief(error))
    return found


def brief(error: Exception) -> str:
    """The first line of an error."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def merged(offsets: Iterable[LakeOffsets]) -> LakeOffsets:
    """For each topic and partition, the first and last of all offsets."""
    by_topic: dict[str, list[dict[str, tuple[int, int]]]] = {}
    for topics in offsets:
        for topic, partitions in topics.items():
            by_topic.setdefault(topic, []).append(partitions)
    return {topic: merge_offsets(partitions) for topic, partitions in by_topic.items()}


def offsets_in(head: dict[str, str]) -> LakeOffsets:
    """The offsets in a footer: the messages from which its file was made."""
    by_topic = json.loads(head.get("tocsin.offsets", "{}"))
    return {
        topic: {partition: (first, last) for partition, (first, last) in partitions.items()}
        for topic, partitions in by_topic.items()
    }


def units_in(head: dict[str, str]) -> list[str]:
    """The units in a footer; a compacted file has several, a file of others none."""
    if "tocsin.units" in head:
        return [str(unit) for unit in json.loads(head["tocsin.units"])]
    return [head["tocsin.unit"]] if "tocsin.unit" in head else []


def first_start(head: dict[str, str]) -> int:
    """The start of the first rows of a file, microseconds since 1970; 0 if no unit says it."""
    starts = (start_of(unit) for unit in units_in(head))
    return min((one for one in starts if one is not None), default=0)


def start_of(unit: str) -> int | None:
    """The start of a unit's rows, microseconds since 1970; None where its name has no number."""
    start = unit.split(".", maxsplit=1)[0]
    return int(start) if _NUMBER.fullmatch(start) else None
