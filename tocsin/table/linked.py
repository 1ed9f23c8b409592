"""Files of one table as files of another, without copying their rows."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pyarrow as pa

from tocsin.foundation.failure import Failure
from tocsin.foundation.synced import make_folder, sync
from tocsin.table.checksums import checksum_of
from tocsin.table.commit import NewFile
from tocsin.table.data_file import read_rows
from tocsin.table.statistics import statistics_of


def link_file(place: str, path: str, target: str) -> NewFile:
    """Give a data file of a table a further name in the folder of another, which has it afterwards.

    Both are on one disk. The name was never used, and is on the disk.

    Args:
        place: folder of the table that has the file.
        path: in that folder.
        target: folder of the other table.

    Raises:
        Failure: if the file cannot be read or linked.
    """
    name = Path(path)
    stem = name.stem.rpartition("-")[0] or name.stem
    new = name.with_name(f"{stem}-{secrets.token_hex(8)}.parquet")
    file = Path(target) / new
    try:
        make_folder(file.parent)
        os.link(Path(place) / path, file)
        sync(file)
        sync(file.parent)
    except OSError as error:
        raise Failure(f"{Path(place) / path}: cannot be moved to {target}: {error}") from None
    return known_file(target, str(new))


def known_file(place: str, path: str) -> NewFile:
    """A file that is in a table's folder already, as a commit adds it.

    Raises Failure where it cannot be read.
    """
    file = Path(place) / path
    try:
        rows = read_rows(place, path)
        checksum = checksum_of(file)
        return NewFile(path, file.stat().st_size, statistics_of(rows), checksum=checksum)
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise Failure(f"{file}: cannot be read: {reason}") from None
