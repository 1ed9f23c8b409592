"""The datasets of a lake, each a table, and the files that a version of it holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tocsin.foundation.failure import Failure
from tocsin.lake.footers import footer
from tocsin.table.commit import is_behind
from tocsin.table.history import open_at
from tocsin.table.table import LOG, Outdated, Table

Result = TypeVar("Result")
_ROUNDS = 100


def datasets_of(root: Path) -> list[Path]:
    """The folders of the datasets, sorted by name.

    Raises Failure for a dataset of the layout before tables.
    """
    found = []
    for path in _folders(root):
        if (path / LOG).is_dir():
            found.append(path)
        elif is_old_layout(path):
            raise Failure(
                f"the dataset '{path.name}' has the layout of an earlier release; take it over "
                f"with `tocsin lake {root} adopt --dataset {path.name}`"
            )
    return found


def old_datasets_of(root: Path) -> list[Path]:
    """The folders of the datasets that have the layout before tables, sorted by name."""
    return [path for path in _folders(root) if is_old_layout(path)]


def _folders(root: Path) -> list[Path]:
    return sorted(
        path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")
    )


def is_old_layout(folder: Path) -> bool:
    """Whether a folder holds Parquet files, and no table in it or below."""
    if (folder / LOG).is_dir() or next(folder.rglob("[!.]*.parquet"), None) is None:
        return False
    return next(folder.rglob(LOG), None) is None


def table_of(dataset: Path, at: str | None = None) -> Table:
    """The table of a dataset. at: a version or a time; None for the newest version.

    Raises Failure where there is no such table or version.
    """
    return open_at(str(dataset), at)


def files_of(folder: Path, at: str | None = None) -> list[Path]:
    """The live files of a dataset, or of all datasets of a lake, sorted."""
    if (folder / LOG).is_dir():
        return live(table_of(folder, at))
    if not folder.is_dir():
        return []
    return [file for dataset in datasets_of(folder) for file in live(table_of(dataset, at))]


def live(table: Table) -> list[Path]:
    """The files that a version holds, sorted."""
    return [Path(table.place) / file.path for file in table.files()]


def chosen(root: Path, dataset: str | None) -> list[Path]:
    """The folders of all datasets, or of the one with a name.

    Raises Failure where there is no such dataset.
    """
    found = datasets_of(root)
    if dataset is None:
        return found
    named = [path for path in found if path.name == dataset]
    if not named:
        names = ", ".join(path.name for path in found) or "no dataset"
        raise Failure(f"no dataset '{dataset}' in {root} (it has {names})")
    return named


def on_newest(folder: Path, do: Callable[[Table], Result]) -> Result:
    """Do something with the newest version of a dataset, again where its files are gone by then.

    Raises Failure as `do` does on a version that is still the newest, or has all files still live.
    """
    for _ in range(_ROUNDS):
        table = table_of(folder)
        try:
            return do(table)
        except Outdated:
            continue
        except Failure:
            if not is_behind(table):
                raise
    raise Failure(f"others erase rows of {folder} all the time")


def keys_of(table: Table) -> list[str]:
    """The keys of a table's rows, from the first footer that says them; empty without keys.

    Raises Failure for a file that cannot be read.
    """
    for file in live(table):
        head = footer(file)
        if "tocsin.keys" in head:
            return keys_in([head])
    return []


def keys_in(heads: list[dict[str, str]]) -> list[str]:
    """The keys of a dataset's rows, from the footers of its files; empty without keys."""
    for head in heads:
        keys: list[str] = json.loads(head.get("tocsin.keys", "[]"))
        if keys:
            return keys
    return []
