"""Files of tables, on a disk of this machine or in an object store.

A path in the mirror of a lake (`mirrors`) is a key of its store; every other path is on a disk. A
file that is stored survives the machine's failure before anybody sees it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from tocsin.foundation import synced
from tocsin.table.log_files import LOG_FOLDER
from tocsin.table.mirrors import mirror_of


def put_if_absent(path: Path, content: bytes) -> bool:
    """Store a whole file under a new name; whether it was new. One of several writers gets it.

    content: unlike that of every other writer. Raises OSError where the outcome is not known.
    """
    found = mirror_of(path)
    if found is None:
        return synced.put_if_absent(path, content)
    return found.bucket.put_if_absent(found.key(path), content)


def replace(path: Path, content: bytes) -> None:
    """Store a file in the place of one with this name; a reader sees one of them whole."""
    found = mirror_of(path)
    if found is not None:
        found.bucket.put(found.key(path), content)
        return
    synced.replace(path, content)


def link(path: Path, name: Path) -> None:
    """Store a file that this process has written under a further name, if nobody else has.

    Its name on a disk is stored by `store_names`.
    """
    found = mirror_of(name)
    if found is not None:
        found.bucket.put_file(found.key(name), path)
        return
    synced.sync(path)
    with suppress(FileExistsError):
        os.link(path, name)


def is_on_disk(place: str) -> bool:
    """Whether a table is on a disk of this machine."""
    return mirror_of(place) is None


def make_folder(folder: Path) -> None:
    """Make a folder on a disk and those above it, stored; a store has no folders to make."""
    if mirror_of(folder) is None:
        synced.make_folder(folder)
    else:
        folder.mkdir(parents=True, exist_ok=True)


def store(path: Path) -> None:
    """Store a file that this process has written under its name."""
    found = mirror_of(path)
    if found is None:
        synced.sync(path)
    else:
        found.bucket.put_file(found.key(path), path)


def store_names(folder: Path) -> None:
    """Store the names in a folder; those of an object store are stored with their files."""
    if mirror_of(folder) is None:
        synced.sync(folder)


def let_go(path: Path) -> None:
    """Delete this machine's copy of a stored file, where the file is elsewhere."""
    if mirror_of(path) is not None:
        path.unlink(missing_ok=True)


def read(path: Path) -> bytes:
    """The content of a file of a log. Raises FileNotFoundError."""
    found = mirror_of(path)
    return path.read_bytes() if found is None else found.bucket.get(found.key(path))


def exists(path: Path) -> bool:
    """Whether there is a small file, such as a commit."""
    if mirror_of(path) is None:
        return path.exists()
    try:
        read(path)
    except FileNotFoundError:
        return False
    return True


def names(log: Path) -> list[str]:
    """The names in the folder of a log, sorted; none where there is no folder."""
    found = mirror_of(log)
    if found is None:
        return sorted(path.name for path in log.iterdir()) if log.is_dir() else []
    listed = found.bucket.entries(found.key(log))
    return sorted(one.key.rpartition("/")[2] for one in listed)


def refresh(place: str, *, whole: bool = False) -> None:
    """Let this machine's log of a table be that of its store. whole: from the first version."""
    found = mirror_of(place)
    if found is not None:
        found.refresh(place, whole=whole)


def fetched(path: Path) -> Path:
    """The path of a data file, which is on this machine if it is anywhere."""
    fetch([path])
    return path


def fetch(paths: Iterable[Path]) -> None:
    """Bring data files to this machine."""
    listed = list(paths)
    found = mirror_of(listed[0]) if listed else None
    if found is not None:
        found.fetch(listed)


def footer_of(path: Path) -> Any:
    """What a Parquet reader takes to read the footer of a data file. Raises FileNotFoundError."""
    found = mirror_of(path)
    return path if found is None else found.footer(path)


def remove(paths: Iterable[Path], *, synced_too: bool = True) -> None:
    """Delete files; missing ones are passed over. synced_too: also on the disk."""
    folders: dict[Path, None] = {}
    keys = []
    found = None
    for path in paths:
        found = mirror_of(path)
        path.unlink(missing_ok=True)
        if found is None:
            folders[path.parent] = None
        else:
            keys.append(found.key(path))
    for folder in folders if synced_too else ():
        if folder.is_dir():
            synced.sync(folder)
    if found is not None:
        found.bucket.delete(keys)


def data_files(place: Path) -> Iterator[tuple[str, float]]:
    """Paths of Parquet files in a table, with the times at which they were written, in seconds."""
    found = mirror_of(place)
    if found is not None:
        folder = found.key(place)
        for one in found.bucket.entries(folder):
            within_table = one.key.removeprefix(f"{folder}/")
            if within_table.endswith(".parquet") and not within_table.startswith(LOG_FOLDER):
                yield within_table, one.written
        return
    for at, within, files in os.walk(place):
        within[:] = [name for name in within if name != LOG_FOLDER]
        for name in files:
            path = Path(at) / name
            if name.endswith(".parquet"):
                try:
                    yield str(path.relative_to(place)), path.stat().st_mtime
                except FileNotFoundError:
                    continue


def probe(place: str) -> None:
    """Check that a table can be written. Raises OSError or Mistake with the reason."""
    found = mirror_of(place)
    if found is None:
        synced.probe_folder(place)
    else:
        found.bucket.probe(found.key(Path(place)))
