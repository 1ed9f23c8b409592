"""Data files of a table: written and on the disk before a commit names them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from tocsin.foundation.failpoint import failpoint
from tocsin.foundation.failure import Failure
from tocsin.kernels.time.file_timestamps import format_timestamp
from tocsin.table import stored
from tocsin.table.bucket import Unanswered
from tocsin.table.checksums import checksum_of
from tocsin.table.commit import NewFile
from tocsin.table.statistics import statistics_of

DATA = "data"
"""The folder of a table's data files."""


def data_path(start: int, label: str) -> str:
    """A path that was never used, relative to the table.

    Nothing may be read from it: the footer has all that it says.

    Args:
        start: of the rows, microseconds since 1970.
        label: for people, such as `15min-s000-r0`.
    """
    moment = format_timestamp(start)
    day = f"{moment[:4]}-{moment[4:6]}-{moment[6:8]}"
    return f"{DATA}/{day}/{moment}-{label}-{secrets.token_hex(8)}.parquet"


def write_data_file(
    place: str, path: str, rows: Any, check: Callable[[str], None] = lambda _: None
) -> NewFile:
    """Write a file that no commit names yet; it is on the disk afterwards.

    Args:
        place: folder of the table.
        path: relative to it, of a name that was never used.
        rows: a table whose metadata becomes the footer.
        check: called with the folder of the file, before anything is written.

    Raises:
        OSError: if it cannot be written; no file is left.
    """
    file = Path(place) / path
    check(str(file.parent))
    failpoint("lake.begin")
    stored.make_folder(file.parent)
    try:
        parquet.write_table(rows, str(file), compression="zstd", row_group_size=256 * 1024)
        size, checksum = file.stat().st_size, checksum_of(file)
        stored.store(file)
        stored.store_names(file.parent)
        stored.let_go(file)
    except (OSError, Failure, pa.ArrowException):
        file.unlink(missing_ok=True)
        raise
    failpoint("lake.written")
    return NewFile(path, size, statistics_of(rows), checksum=checksum)


def read_rows(place: str, path: str) -> Any:
    """The rows of a data file, with its footer. Raises OSError or ArrowException."""
    with parquet.ParquetFile(stored.fetched(Path(place) / path)) as opened:
        return opened.read()


def remove_unseen(place: str, files: list[NewFile]) -> None:
    """Delete files that no commit names."""
    # What cannot be deleted now is an orphan, which a vacuum deletes.
    with suppress(Unanswered):
        stored.remove((Path(place) / file.path for file in files), synced_too=False)
