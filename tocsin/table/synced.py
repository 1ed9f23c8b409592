"""Files and folders that a power failure cannot take back."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; each that is new is on the disk afterwards."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync(folder.parent)


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


def probe_folder(folder: str) -> None:
    """Make a folder, and a file in it that is deleted again. Raises OSError where it cannot."""
    path = Path(folder)
    make_folder(path)
    probe = path / f".probe.{secrets.token_hex(8)}"
    try:
        probe.write_bytes(b"tocsin")
    finally:
        probe.unlink(missing_ok=True)
