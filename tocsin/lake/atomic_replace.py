"""Replaces files and folders of a lake atomically, so that readers see the old or the new one."""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import shutil
from pathlib import Path
from typing import Any, Literal

from pyarrow import parquet

from tocsin.foundation.failure import Failure

_EXCHANGE = 2
"""RENAME_EXCHANGE of renameat2(2)."""

_PURPOSES = ("backfill", "merge", "compaction")


def staging_name(purpose: Literal["backfill", "merge", "compaction"]) -> str:
    """A unique name for a hidden staging folder, from which files move to their places."""
    return f".{purpose}-{secrets.token_hex(4)}"


def is_staging(path: Path) -> bool:
    """Whether a folder is a staging folder."""
    return path.name.startswith(tuple(f".{purpose}-" for purpose in _PURPOSES))


def write_hidden(table: Any, target: Path) -> Path:
    """Write a whole Parquet file under a hidden name next to its target; return its path."""
    hidden = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    parquet.write_table(table, hidden, compression="zstd", row_group_size=256 * 1024)
    with hidden.open("rb") as written:
        os.fsync(written.fileno())
    return hidden


def replace_file(table: Any, target: Path) -> None:
    """Replace a Parquet file by another table. A reader sees the old file or the new one."""
    write_hidden(table, target).replace(target)


def exchange_folders(one: Path, other: Path) -> None:
    """Exchange two folders atomically: a listing shows all old files or all new ones.

    Raises Failure where the file system does not support it; both folders are then unchanged.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    rename = getattr(libc, "renameat2", None)
    here = -100  # AT_FDCWD
    done = (
        -1
        if rename is None
        else rename(here, os.fsencode(one), here, os.fsencode(other), _EXCHANGE)
    )
    if done != 0:
        number = ctypes.get_errno() if rename is not None else errno.ENOSYS
        raise Failure(
            f"this file system cannot exchange two folders at once ({os.strerror(number)}); "
            f"{one} is unchanged"
        )


def remove_folder(folder: Path) -> None:
    """Remove a folder and its content. Raises OSError where it does not exist."""
    shutil.rmtree(folder)
