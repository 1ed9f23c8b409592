"""A folder with the last checkpoint of a job: a manifest, and segments of bytes that it names.

A checkpoint writes only pieces that the one before does not have. It holds once the manifest has
its name: all bytes that it names are on the disk by then.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from tocsin.engines.embedded.manifest import MANIFEST, read_manifest, sealed
from tocsin.foundation.failpoint import failpoint
from tocsin.foundation.failure import Failure
from tocsin.foundation.synced import make_folder, sync

LOCK = "lock"
_SEGMENT = re.compile(r"[0-9]{12}")
_PATIENCE = 0.5
"""Seconds to wait for a lock: `tocsin status` has it for a moment."""
_SMALL = 8 << 20
"""Bytes of segments below which dead bytes do not matter."""

Place = tuple[int, int, int, int]
"""Where a piece is: number of its segment, offset, length and CRC-32."""


class CheckpointStore:
    """The folder of one job, which only one process may use. Raises Failure where one does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            make_folder(folder)
            self._lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
            if not _locked(self._lock):
                owner = os.pread(self._lock, 32, 0).decode(errors="replace").strip()
                os.close(self._lock)
                raise Failure(f"{folder} is in use by the process {owner or 'of another job'}")
            os.ftruncate(self._lock, 0)
            os.write(self._lock, f"{os.getpid()}\n".encode())
        except OSError as error:
            raise Failure(f"cannot write to {folder}: {error.strerror}") from None
        # The pieces of the last checkpoint. They stay referenced, so that an identity is unique.
        self._known: dict[int, tuple[bytes, Place]] = {}
        self._sizes: dict[int, int] = {}
        self.number = 0

    def read(self) -> dict[str, Any] | None:
        """The last manifest; None for a new folder. Raises Failure for one that is damaged."""
        found = read_manifest(self.folder)
        if found is not None:
            self.number = found["number"]
            self._sizes = {int(name): size for name, size in found["segments"].items()}
            self._delete_others()
        return found

    def piece(self, place: list[int]) -> bytes:
        """The bytes at a place. Raises Failure where they are not those that were written."""
        number, offset, length, checksum = place
        path = self._segment(number)
        try:
            with path.open("rb") as file:
                file.seek(offset)
                found = file.read(length)
        except OSError as error:
            raise Failure(f"cannot read {path}: {error.strerror}") from None
        except (OverflowError, MemoryError):
            found = b""
        if len(found) != length or zlib.crc32(found) != checksum:
            raise Failure(f"{path} is damaged at byte {offset}: the checkpoint cannot be restored")
        self._known[id(found)] = found, (number, offset, length, checksum)
        return found

    def write(self, manifest: dict[str, Any], pieces: list[bytes]) -> int:
        """Make a checkpoint durable. Returns the number of bytes that it wrote.

        manifest: `pieces` is added to it, the places of the pieces in their order.
        """
        failpoint("checkpoint.begin")
        self._refuse_lost_lock()
        self.number += 1
        live = sum(map(len, pieces))
        total = sum(self._sizes.values())
        known = {} if total > _SMALL and total > 2 * live else self._known
        places, kept, new = self._placed(pieces, known)
        try:
            written = self._write_segment(new)
            used = {place[0] for place in places}
            sizes = {n: size for n, size in self._sizes.items() if n in used}
            content = {
                **manifest,
                "number": self.number,
                "segments": {str(n): size for n, size in sizes.items()},
                "pieces": places,
            }
            failpoint("checkpoint.written")
            replace_file(self.folder / MANIFEST, sealed(content))
        except OSError as error:
            raise Failure(
                f"cannot write the checkpoint in {self.folder}: {error.strerror}"
            ) from None
        self._known, self._sizes = kept, sizes
        failpoint("checkpoint.committed")
        self._delete_others()
        return written

    def _refuse_lost_lock(self) -> None:
        """Raise Failure if the file of the lock is gone, so another process may have a new one."""
        path = self.folder / LOCK
        with suppress(OSError):
            if os.path.samestat(path.stat(), os.fstat(self._lock)):
                return
        raise Failure(f"{path} was deleted: another process may use the folder, so this one ends")

    def _placed(
        self, pieces: list[bytes], known: dict[int, tuple[bytes, Place]]
    ) -> tuple[list[Place], dict[int, tuple[bytes, Place]], list[bytes]]:
        """Where the pieces are, the known pieces afterwards, and those that are new."""
        places: list[Place] = []
        kept: dict[int, tuple[bytes, Place]] = {}
        new: list[bytes] = []
        offset = 0
        for piece in pieces:
            one = kept.get(id(piece)) or known.get(id(piece))
            if one is None:
                one = piece, (self.number, offset, len(piece), zlib.crc32(piece))
                new.append(piece)
                offset += len(piece)
            kept[id(piece)] = one
            places.append(one[1])
        return places, kept, new

    def _write_segment(self, new: list[bytes]) -> int:
        size = sum(map(len, new))
        if not new:
            return 0
        path = self._segment(self.number)
        with path.open("wb") as file:
            file.writelines(new)
            file.flush()
            os.fsync(file.fileno())
        sync(self.folder)
        self._sizes[self.number] = size
        return size

    def _segment(self, number: int) -> Path:
        return self.folder / f"{number:012d}.segment"

    def _delete_others(self) -> None:
        """Delete the segments that the manifest does not name."""
        for path in self.folder.glob("*.segment"):
            if _SEGMENT.fullmatch(path.stem) and int(path.stem) not in self._sizes:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let another process use the folder."""
        os.close(self._lock)


def _locked(opened: int) -> bool:
    """Whether this process has the lock now."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        else:
            return True


def replace_file(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file under another name, and give it its name when it is whole.

    The other name is always the same, because a folder has one writer: so processes that are
    killed leave one such file at most.
    """
    hidden = path.with_name(f".{path.name}.new")
    with hidden.open("wb") as file:
        file.write(content)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    hidden.replace(path)
    if durable:
        sync(path.parent)
