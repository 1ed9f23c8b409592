"""Files of a lake written anew: whole, and at once for those who read."""

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

_WORKSHOPS = ("backfill", "putting", "compacting")


def workshop(purpose: Literal["backfill", "putting", "compacting"]) -> str:
    """A name that no other has, of a hidden folder in which files are made that take their places afterwards."""
    return f".{purpose}-{secrets.token_hex(4)}"


def is_workshop(path: Path) -> bool:
    """Whether a folder is one of those."""
    return path.name.startswith(tuple(f".{purpose}-" for purpose in _WORKSHOPS))


def write_beside(table: Any, target: Path) -> Path:
    """A file written whole under a hidden name beside its target, which nobody reads."""
    hidden = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    parquet.write_table(table, hidden, compression="zstd", row_group_size=256 * 1024)
    with hidden.open("rb") as written:
        os.fsync(written.fileno())
    return hidden


def replace_file(table: Any, target: Path) -> None:
    """Put other rows into a file's place; a reader has the old file or the new one."""
    write_beside(table, target).replace(target)


def exchange(one: Path, other: Path) -> None:
    """Two folders change places at once, so that whoever lists one of them sees all of the old files or all of the new.

    Raises Failure where the file system cannot do that.
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
            f"this file system cannot exchange two folders at once ({os.strerror(number)}); {one} is as it was"
        )


def remove_folder(folder: Path) -> None:
    """With all that is in it; no other."""
    shutil.rmtree(folder)
