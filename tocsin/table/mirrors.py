"""Lakes of object stores as folders of this machine, which hold what was read of them.

A mirror has the layout of the lake. A file is fetched when it is first read: data files never
change, and files of the log are compared with the store. The folder belongs to this process and
its user, and goes when the process ends.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa

from tocsin.table.bucket import Bucket
from tocsin.table.log_files import LAST_CHECKPOINT, LOG_FOLDER

_FOOTER = 256 * 1024
_PREFIX = "tocsin-lake-"


class Mirror:
    """The folder of a lake.

    root: of the lake on this machine. bucket: where the lake is.
    """

    def __init__(self, root: Path, bucket: Bucket) -> None:
        self.root = root
        self.bucket = bucket
        self._tags: dict[str, str] = {}
        # A writer and the care of its table read one log.
        self._lock = threading.RLock()

    def key(self, path: Path) -> str:
        """The key of a path in the folder."""
        return path.relative_to(self.root).as_posix()

    def shown(self, text: str) -> str:
        """A text with the address of the lake in place of the folder."""
        return text.replace(str(self.root), self.bucket.address)

    def refresh(self, place: str, *, whole: bool) -> None:
        """Bring the log of a table: the last checkpoint and what follows, or all of it."""
        with self._lock:
            self._refresh(place, whole)

    def _refresh(self, place: str, whole: bool) -> None:
        log = Path(place) / LOG_FOLDER
        log.mkdir(parents=True, exist_ok=True)
        folder = self.key(log)
        start = self._checkpoint(log)
        after = None if whole or start is None else f"{folder}/{start - 1:020}.zzz"
        there = {one.key: one.tag for one in self.bucket.entries(folder, after)}
        there.pop(f"{folder}/{LAST_CHECKPOINT}", None)
        for path in log.iterdir():
            if path.name != LAST_CHECKPOINT and self.key(path) not in there:
                path.unlink()
        new = [key for key, tag in there.items() if not self._has(key, tag)]
        for key, content in self.bucket.get_all(new):
            if content is not None:
                self._keep(self.root / key, content)
                self._tags[key] = there[key]

    def _has(self, key: str, tag: str) -> bool:
        return bool(tag) and self._tags.get(key) == tag and (self.root / key).exists()

    def _checkpoint(self, log: Path) -> int | None:
        """The version of the last checkpoint, whose pointer is kept; None where none is known."""
        path = log / LAST_CHECKPOINT
        try:
            content = self.bucket.get(self.key(path))
        except FileNotFoundError:
            path.unlink(missing_ok=True)
            return None
        self._keep(path, content)
        try:
            return int(json.loads(content)["version"])
        except (ValueError, KeyError, TypeError):
            return None

    def fetch(self, paths: Iterable[Path]) -> None:
        """Bring data files that are not here yet; those that the store lacks stay away."""
        with self._lock:
            missing = [self.key(path) for path in paths if not path.exists()]
            for key, content in self.bucket.get_all(missing):
                if content is not None:
                    self._keep(self.root / key, content)

    def footer(self, path: Path) -> Any:
        """A file, or the end of it, of which the footer can be read."""
        if path.exists():
            return path
        key = self.key(path)
        end = self.bucket.end_of(key, _FOOTER)
        size = int.from_bytes(end[-8:-4], "little") + 8
        if size > _FOOTER and end[-4:] == b"PAR1":
            end = self.bucket.end_of(key, size)
        return pa.BufferReader(end)

    @staticmethod
    def _keep(path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        hidden = path.with_name(f".{path.name}.part")
        hidden.write_bytes(content)
        hidden.replace(path)


_MIRRORS: dict[str, Mirror] = {}
"""By the address and the settings of a lake."""


def mirror_of(path: str | Path) -> Mirror | None:
    """The mirror that a path is in, or None for a path of this machine's own."""
    if not _MIRRORS:
        return None
    text = str(path)
    for one in _MIRRORS.values():
        if text == str(one.root) or text.startswith(f"{one.root}/"):
            return one
    return None


def mirrors() -> list[Mirror]:
    """The mirrors that this process has."""
    return list(_MIRRORS.values())


def mirror(address: str, settings: Mapping[str, Any]) -> Mirror:
    """The mirror of a lake, made where this process has none; no request is sent.

    Args:
        address: such as s3://city-lake/air.
        settings: of the connection, with secrets resolved.

    Raises:
        Mistake: as `Bucket`.
    """
    name = json.dumps([address, dict(settings)], sort_keys=True)
    if name not in _MIRRORS:
        bucket = Bucket(address, settings)
        _remove_abandoned()
        root = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")
        _MIRRORS[name] = Mirror(Path(root), bucket)
        atexit.register(shutil.rmtree, root, ignore_errors=True)
    return _MIRRORS[name]


def with_datasets(found: Mirror) -> Path:
    """The root of a mirror, with a folder for each dataset that the lake has now."""
    for name in found.bucket.folders():
        if not name.startswith(".") and LOG_FOLDER in found.bucket.folders(f"{name}/"):
            (found.root / name / LOG_FOLDER).mkdir(parents=True, exist_ok=True)
    return found.root


def _remove_abandoned() -> None:
    """Remove mirrors of this user's processes that were killed."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        number = path.name.removeprefix(_PREFIX).partition("-")[0]
        with suppress(OSError):
            if path.stat().st_uid != os.getuid() or not number.isdigit():
                continue
            try:
                os.kill(int(number), 0)
            except ProcessLookupError:
                shutil.rmtree(path, ignore_errors=True)


def _forget() -> None:
    # A process that was forked has no threads of the client, and its parent's folders are not its.
    _MIRRORS.clear()
    atexit.unregister(shutil.rmtree)


os.register_at_fork(after_in_child=_forget)
