"""Files and folders that a power failure cannot take back."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

_sure: set[Path] = set()
"""Folders that are on the disk for sure, with those above them."""


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; all are on the disk afterwards.

    A folder that exists may be the work of a process that was killed before its name was on the
    disk. So each process waits for each folder once.
    """
    folder = folder.absolute()
    is_there = folder.is_dir()
    if folder == folder.parent or (is_there and folder in _sure):
        return
    make_folder(folder.parent)
    if not is_there:
        folder.mkdir(exist_ok=True)
    try:
        sync(folder.parent)
    except OSError:
        # The folder of another user, such as a mount point, is not ours to read.
        if not is_there:
            raise
    _sure.add(folder)


def put_if_absent(path: Path, content: bytes) -> bool:
    """Write a whole file under a new name, on the disk before it is seen; whether it was new.

    A reader sees no file or the whole one. One of several writers of a name gets it.
    """
    hidden = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with hidden.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(hidden, path)
        except FileExistsError:
            return False
        sync(path.parent)
        return True
    finally:
        hidden.unlink(missing_ok=True)


def replace(path: Path, content: bytes) -> None:
    """Write a whole file in the place of another; a reader sees the old one or the new one."""
    hidden = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with hidden.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        hidden.replace(path)
    finally:
        hidden.unlink(missing_ok=True)
    sync(path.parent)


def probe_folder(folder: str) -> None:
    """Make a folder, and a file in it that is deleted again. Raises OSError where it cannot."""
    path = Path(folder)
    make_folder(path)
    probe = path / f".probe.{secrets.token_hex(8)}"
    try:
        probe.write_bytes(b"tocsin")
    finally:
        probe.unlink(missing_ok=True)
