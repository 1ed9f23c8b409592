"""Jars are checked against infra/checksums.txt before they are put on a class path."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from infra.cluster.settings import BUILT, INFRA

# As `sha256sum` writes and reads it; paths begin in the folder of the downloads.
LIST = INFRA / "checksums.txt"


def listed(folder: str, file: Path = LIST) -> dict[str, str]:
    """SHA-256 by path inside of a folder of jars, such as `kafka-4.1.0`; empty if it has none."""
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    found = (line.split("  ", 1) for line in lines)
    return {
        path.removeprefix(f"{folder}/"): digest
        for digest, path in found
        if path.startswith(f"{folder}/")
    }


def problems(folder: Path, name: str, file: Path = LIST) -> list[str]:
    """A sentence for each jar of a folder that was not tested.

    name: the folder's name in the list.
    """
    wanted = listed(name, file)
    if not wanted:
        return [f"{file.name} lists no jar of {name}: no jar of this version was tested"]
    present = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.jar")}
    missing = sorted(wanted.keys() - present.keys())
    strange = sorted(present.keys() - wanted.keys())
    digests = {path: digest_of(present[path]) for path in sorted(wanted.keys() & present.keys())}
    return [
        *(
            f"{name}/{path} is not the jar that was tested: "
            f"its SHA-256 is {digest}, and {file.name} has {wanted[path]}"
            for path, digest in digests.items()
            if digest != wanted[path]
        ),
        *(f"{name}/{path} is not in {file.name}" for path in strange),
        *(f"{name}/{path} is missing" for path in missing),
    ]


def problems_of_installed(folder: Path, file: Path = LIST, stamps: Path = BUILT) -> list[str]:
    """As `problems`, for a folder of the downloads, which may come from elsewhere.

    Jars that passed are hashed again only if a file or the list has changed since. The stamp is in
    the checkout, so whoever made the downloads did not write it.
    """
    stamp = stamps / f"{folder.name}-{_digest(str(folder.resolve()))[:12]}.checked"
    state = _digest(f"{sorted(listed(folder.name, file).items())}{_files(folder)}")
    if stamp.exists() and stamp.read_text("utf-8") == state:
        return []
    found = problems(folder, folder.name, file)
    if not found:
        stamps.mkdir(parents=True, exist_ok=True)
        stamp.write_text(state, "utf-8")
    return found


def write(folders: Iterable[Path], file: Path = LIST) -> int:
    """List the jars of these folders; return their number."""
    jars = sorted(
        (f"{d.name}/{p.relative_to(d).as_posix()}", p) for d in folders for p in d.rglob("*.jar")
    )
    file.write_text("".join(f"{digest_of(path)}  {name}\n" for name, path in jars), "utf-8")
    return len(jars)


def digest_of(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _files(folder: Path) -> list[tuple[str, int, int, int, int]]:
    """What changes when a jar does. A user can set a file's time, but not the time of that."""
    return sorted(
        (str(path), known.st_ino, known.st_size, known.st_mtime_ns, known.st_ctime_ns)
        for path in folder.rglob("*.jar")
        for known in [path.stat()]
    )
