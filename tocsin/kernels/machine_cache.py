"""Where machine code is kept: by what the sources say, not by where they lie.

A cluster unpacks each version of the code into a folder of its own. Numba's own cache lies next to
the sources, so every new version would compile every function again: 13 s of processor time for
alarm management, in which a restarted job raises no alarm.
"""

from __future__ import annotations

import ast
import hashlib
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Self

from numba import config
from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    InTreeCacheLocator,
    UserWideCacheLocator,
    _CacheLocator,
)

_KEPT_UNUSED = 30 * 86_400


def keep(machine: Any, functions: list[Callable[..., Any]]) -> None:
    """Keep the machine code of a dispatcher on disk until a source file changes.

    functions: the function, and the kernels that it calls. Their files count, and every file of
    the same packages that these import: a constant may stand in any of them.
    """
    files = {Path(one.__code__.co_filename) for one in functions}

    class Locator(_ByContent):
        stamp = digest(files)

    class Kept(CompileResultCacheImpl):  # type: ignore[misc]
        _locator_classes = (Locator, InTreeCacheLocator, UserWideCacheLocator)

    class KeptCache(FunctionCache):  # type: ignore[misc]
        _impl_class = Kept

    # Numba has no public way to say where and under what a cache entry is kept.
    machine._cache = KeptCache(machine.py_func)  # noqa: SLF001


class _ByContent(_CacheLocator):  # type: ignore[misc]
    """The folder of the machine code of one content."""

    stamp = ""

    def __init__(self, line: int, root: Path) -> None:
        self._line, self._folder = line, root / self.stamp

    def get_cache_path(self) -> str:
        return str(self._folder)

    def get_source_stamp(self) -> str:
        return self.stamp

    def get_disambiguator(self) -> str:
        return str(self._line)

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Self | None:
        """A locator in the user's cache. None: Numba looks next to the sources."""
        del py_file
        try:
            root = private(_root())
            found = cls(py_func.__code__.co_firstlineno, root)
            if not (root / cls.stamp).exists():
                _clear(root)
            found.ensure_cache_path()
            os.utime(root / cls.stamp)
        except (OSError, RuntimeError):
            # No home folder, a disk that is full or read-only, or a folder of someone else.
            return None
        return found


def _root() -> Path:
    if config.CACHE_DIR:
        return Path(config.CACHE_DIR)
    given = os.environ.get("XDG_CACHE_HOME")
    return (Path(given) if given else Path.home() / ".cache") / "tocsin" / "machine-code"


def private(folder: Path) -> Path:
    """The folder, made if it is missing. Raises OSError where others may write.

    Whoever writes to it has this process run what they wrote.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = folder.stat()
    if found.st_uid != os.getuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError(f"others may write to {folder}")
    return folder


def _clear(root: Path) -> None:
    """Remove what no process has used for a month."""
    for folder in root.iterdir():
        if folder.stat().st_mtime < time.time() - _KEPT_UNUSED:
            shutil.rmtree(folder, ignore_errors=True)


def digest(files: set[Path]) -> str:
    """What the files and all that they import from their own package say, as 16 hex digits."""
    seen: set[Path] = set()
    left = list(files)
    while left:
        file = left.pop()
        if file not in seen:
            seen.add(file)
            left += _imported(file)
    # The contents alone: the same sources in another folder give the same machine code.
    said = sorted(_source(file) for file in seen)
    return hashlib.sha256(b"\0".join(said)).hexdigest()[:16]


@cache
def _source(file: Path) -> bytes:
    return file.read_bytes() if file.is_file() else b""


@cache
def _imported(file: Path) -> list[Path]:
    """The files of the modules that a file imports from its own package."""
    top = file.parent
    while (top / "__init__.py").exists():
        top = top.parent
    own = file.relative_to(top).with_suffix("").parts
    found = []
    for name in _names(_source(file), own[:-1]):
        if name[: len(own[:1])] == own[:1]:
            module = top.joinpath(*name)
            found += [module.with_suffix(".py"), module / "__init__.py"]
    return [path for path in found if path.is_file()]


def _names(source: bytes, package: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Modules that a module of a package may import; `from a import b` names `a` and `a.b`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # A relative import counts from the module's own package.
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = (*above, *(node.module.split(".") if node.module else ()))
            yield base
            yield from ((*base, alias.name) for alias in node.names)
