"""Files that are either complete or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A hidden path to write to. It gets its name once the block is done, and goes if that fails.

    Missing folders above it are made.
    """
    hidden = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield hidden
        if hidden.exists():
            hidden.replace(path)
    finally:
        hidden.unlink(missing_ok=True)
