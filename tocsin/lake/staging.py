"""Hidden folders of a lake in which a backfill writes, until its rows are merged."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

_PREFIX = ".backfill-"


def staging_name() -> str:
    """A unique name for the hidden folder of a backfill."""
    return f"{_PREFIX}{secrets.token_hex(4)}"


def is_staging(path: Path) -> bool:
    """Whether a folder is that of a backfill."""
    return path.name.startswith(_PREFIX)


def remove_folder(folder: Path) -> None:
    """Remove a folder and its content. Raises OSError where it does not exist."""
    shutil.rmtree(folder)
