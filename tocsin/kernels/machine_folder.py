"""The folders of machine code: the user's own, and one that was installed with Tocsin.

A file is whole or counts as missing: it ends with its own hash, and is renamed when it is written.
So processes that write at one time, a disk that is full, and a power loss do no harm.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path

_KEPT_UNUSED = 30 * 86_400
_DAY = 86_400
_SUFFIX = ".machine"
_HASH = 32


def folders() -> list[Path]:
    """Where machine code may be: the user's folder, and the installed one.

    Tocsin writes to the first only. An image or a root user fills the second: set NUMBA_CACHE_DIR
    to it and run the jobs' tests.
    """
    with suppress(RuntimeError):
        # A user without a home folder has the installed one.
        return [root(), installed()]
    return [installed()]


def installed() -> Path:
    """The folder of an image or an installation: everyone may read it."""
    return Path(sys.prefix) / "share" / "tocsin" / "machine-code"


def root() -> Path:
    """The user's folder. Raises RuntimeError for a user without a home folder."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    if given:
        return Path(given)
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "tocsin" / "machine-code"


def load(name: str) -> bytes | None:
    """The content saved under a name. None: no whole file in a folder that is private."""
    for folder in folders():
        with suppress(OSError):
            if not is_private(folder.stat()):
                continue
            file = folder / (name + _SUFFIX)
            content = file.read_bytes()
            if hashlib.sha256(content[:-_HASH]).digest() == content[-_HASH:]:
                _note_use(file)
                return content[:-_HASH]
    return None


def save(name: str, content: bytes) -> None:
    """Save it in the user's folder, if that is possible."""
    with suppress(OSError, RuntimeError):
        folder = private(root())
        _clear(folder)
        file = folder / (name + _SUFFIX)
        temporary = folder / f"{uuid.uuid4().hex}.tmp"
        try:
            temporary.write_bytes(content + hashlib.sha256(content).digest())
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)


def private(folder: Path) -> Path:
    """The folder, made if it is missing. Raises OSError where others may write.

    Whoever writes to it has this process run what they wrote.
    """
    mode = 0o755 if folder == installed() else 0o700
    folder.mkdir(parents=True, exist_ok=True, mode=mode)
    if not is_private(folder.stat()):
        raise PermissionError(f"others may write to {folder}")
    return folder


def is_private(found: os.stat_result) -> bool:
    """Whether only this user, or root, may write there."""
    is_owned = found.st_uid in (0, os.getuid())
    return is_owned and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _note_use(file: Path) -> None:
    """Keep the file for another month. Its time is written once a day."""
    with suppress(OSError):
        if file.stat().st_mtime < time.time() - _DAY:
            os.utime(file)


def _clear(folder: Path) -> None:
    """Remove what no process has used for a month."""
    oldest = time.time() - _KEPT_UNUSED
    for file in folder.iterdir():
        with suppress(OSError):
            if file.suffix in (_SUFFIX, ".tmp") and file.stat().st_mtime < oldest:
                file.unlink()
