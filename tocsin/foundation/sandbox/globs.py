"""The files that a pattern of a job finds. No folder is listed that the job may not read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from fnmatch import translate
from pathlib import Path

from tocsin.foundation.sandbox.paths import JudgedPath, check_readable

_MAGIC = re.compile(r"[*?\[]")
_MOST_ENTRIES = 100_000
_MOST_FILES = 10_000


def matching(pattern: str, folders: tuple[str, ...] | None) -> list[str]:
    """The paths that a pattern finds, sorted. A pattern that is the name of a file finds that.

    Args:
        pattern: a path in which `*`, `?` and `[…]` stand for characters, and `**` for folders.
        folders: what `readable_folders` gave; the paths are then `JudgedPath`s.

    Raises:
        ValueError: for a file or a folder that is in none of the folders, and for a pattern that
            looks at too many files.
    """
    if folders is None:
        return _trusted(Path(pattern))
    if "\0" in pattern or not _MAGIC.search(pattern) or Path(pattern).is_file():
        check_readable(Path(pattern), folders)
        return [JudgedPath.of(pattern, folders)] if Path(pattern).exists() else []
    parts = Path(pattern).parts
    fixed = next(at for at, part in enumerate(parts) if _MAGIC.search(part))
    root = Path(*parts[:fixed])
    check_readable(root, folders)
    found = _Search(pattern, folders).paths(root, parts[fixed:])
    return [JudgedPath.of(path, folders) for path in sorted(found)]


def _trusted(pattern: Path) -> list[str]:
    if pattern.is_file():
        return [str(pattern)]
    root = Path(pattern.anchor or ".")
    rest = str(pattern.relative_to(pattern.anchor) if pattern.anchor else pattern)
    return sorted(str(path) for path in root.glob(rest))


class _Search:
    """One search. It counts the entries of folders that it looks at."""

    def __init__(self, pattern: str, folders: tuple[str, ...]) -> None:
        self._pattern = pattern
        self._folders = folders
        self._seen = 0

    def paths(self, root: Path, parts: tuple[str, ...]) -> set[str]:
        """The paths below a folder that fit the parts of a pattern."""
        found: set[str] = set()
        level = [root]
        for at, part in enumerate(parts):
            is_last = at == len(parts) - 1
            level = list(dict.fromkeys(one for here in level for one in self._step(here, part)))
            if not is_last:
                level = [one for one in level if one.is_dir()]
        for path in level:
            check_readable(path, self._folders)
            found.add(str(path))
        if len(found) > _MOST_FILES:
            raise ValueError(
                f"the pattern '{self._pattern}' finds {len(found):,} files; "
                f"at most {_MOST_FILES:,} fit"
            )
        return found

    def _step(self, folder: Path, part: str) -> Iterator[Path]:
        if part == "**":
            yield from self._below(folder)
        elif not _MAGIC.search(part):
            if (folder / part).exists():
                yield folder / part
        else:
            fits = re.compile(translate(part)).match
            yield from (folder / one.name for one in self._entries(folder) if fits(one.name))

    def _below(self, folder: Path) -> Iterator[Path]:
        """The folder and all in it, without those behind links."""
        waiting = [folder]
        while waiting:
            here = waiting.pop()
            yield here
            entries = self._entries(here)
            waiting += [here / one.name for one in entries if one.is_dir(follow_symlinks=False)]

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        check_readable(folder, self._folders)
        try:
            with os.scandir(folder) as listed:
                entries = []
                for one in listed:
                    self._count()
                    entries.append(one)
                return entries
        except OSError:
            return []

    def _count(self) -> None:
        self._seen += 1
        if self._seen > _MOST_ENTRIES:
            raise ValueError(
                f"the pattern '{self._pattern}' looks at more than {_MOST_ENTRIES:,} files"
            )
