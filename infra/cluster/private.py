"""Folders and files that no other user of the machine can read."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

# The bits of a mode that give rights to the group and to others.
OTHERS = 0o077
FOLDER, FILE = 0o700, 0o600


class Foreign(Exception):
    """A folder belongs to another user; the text names it."""


def private_folder(folder: Path) -> None:
    """A folder of mode 0700. Raises Foreign where it belongs to another user."""
    folder.mkdir(parents=True, exist_ok=True, mode=FOLDER)
    if folder.stat().st_uid != os.getuid():
        raise Foreign(f"{folder} belongs to another user; choose one of your own with --folder")
    _tighten(folder)


def tighten(folder: Path) -> None:
    """Take the rights of the group and of others from a folder and from everything in it.

    Links are left alone, and so are the files that they point to.
    """
    _tighten(folder)
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            # Running processes may remove files meanwhile.
            with suppress(FileNotFoundError):
                _tighten(Path(place, name))


def exposed(folder: Path) -> list[Path]:
    """The files in a folder, and the folders, that give rights to the group or to others."""
    every = [folder, *folder.rglob("*")]
    return [path for path in every if not path.is_symlink() and _mode(path) & OTHERS]


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600, whatever mode an older one had."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, FILE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, FILE)
        file.write(text)


def _tighten(path: Path) -> None:
    if not path.is_symlink() and (mode := _mode(path)) & OTHERS:
        path.chmod(mode & ~OTHERS)


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode & 0o7777
    except FileNotFoundError:
        return 0
