"""The words of `tocsin lake` that change a lake, or list what it holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from cyclopts import Parameter

from tocsin.cli.console import DONE, WRONG, complain, say, show_json, table
from tocsin.cli.option_values import duration_option


@Parameter(name="*")
@dataclass(frozen=True)
class Care:
    """What a word changes, and how.

    Parameters
    ----------
    dataset
        For maintain, compact, erase, export, newest, widen and adopt: only this dataset.
    older_than
        For maintain and compact: leave files alone that are newer than this, counted from the
        newest file.
    delay
        For maintain: how long removed files stay, and with them the older versions.
    fold_revisions
        For maintain: remove the rows that a later revision supersedes, where no further revision
        can come.
    where
        For erase: the rows to delete as column=value, such as lock_id=lock-00017.
    to
        For export: the file to write, such as air.parquet.
    column
        For widen: the column and its wider type, such as count=int64 or value=float64.
    dialect
        For newest: the program that runs the SQL.
    owner
        For adopt: the step that may write the dataset from now on, as JOB/STEP.
    """

    dataset: str | None = None
    older_than: str = "1 d"
    delay: str = "7 d"
    fold_revisions: bool = False
    where: str | None = None
    to: Path | None = None
    column: str | None = None
    dialect: Literal["duckdb", "spark", "trino"] = "spark"
    owner: str | None = None


@dataclass(frozen=True)
class _Task:
    root: Path
    care: Care
    at: str | None


class _Wrong(Exception):
    """An option is missing or does not fit."""


def care(root: Path, word: str, on: Care, at: str | None, json: bool) -> int:
    """Do what a word of `WORDS` says, and print the outcome."""
    names, do = _TASKS[word]
    try:
        found = do(_Task(root, on, at))
    except (_Wrong, ValueError) as error:
        complain(str(error))
        return WRONG
    if json:
        show_json(found)
        return DONE
    if names == ["sql"]:
        say("\n".join(one["sql"] for one in found))
        return DONE
    rows = [[_shown(one[name]) for name in names] for one in found]
    right = [at for at, name in enumerate(names) if name in _COUNTS]
    say(table(names, rows, right=tuple(right)))
    return DONE


def _shown(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | dict):
        return ", ".join(value)
    return "" if value is None else value


def _contents(task: _Task) -> list[dict[str, Any]]:
    from tocsin.lake.catalog import catalog

    return catalog(task.root)


def _compact(task: _Task) -> list[dict[str, Any]]:
    from tocsin.lake.compaction import compact

    older_than = duration_option("--older-than", task.care.older_than)
    return [asdict(one) for one in compact(task.root, older_than, task.care.dataset)]


def _maintain(task: _Task) -> list[dict[str, Any]]:
    from tocsin.lake.maintenance import maintain

    found = maintain(
        task.root,
        task.care.dataset,
        older_than=duration_option("--older-than", task.care.older_than),
        delay=duration_option("--delay", task.care.delay),
        fold=task.care.fold_revisions,
    )
    return [asdict(one) for one in found]


def _retain(task: _Task) -> list[dict[str, Any]]:
    from tocsin.lake.retention import retain

    return [asdict(one) for one in retain(task.root)]


def _erase(task: _Task) -> list[dict[str, Any]]:
    from tocsin.lake.retention import erase

    column, separator, value = (task.care.where or "").partition("=")
    if not (column and separator):
        raise _Wrong("erase needs --where column=value, such as lock_id=lock-00017")
    return [asdict(one) for one in erase(task.root, column, value, task.care.dataset)]


def _export(task: _Task) -> list[dict[str, Any]]:
    from tocsin.lake.export import export

    if task.care.dataset is None or task.care.to is None:
        raise _Wrong("export needs --dataset NAME --to FILE, such as --to air.parquet")
    return [asdict(export(task.root, task.care.dataset, task.care.to, task.at))]


def _newest(task: _Task) -> list[dict[str, Any]]:
    from tocsin.lake.newest_sql import newest_sql

    return [
        {"dataset": name, "sql": sql}
        for name, sql in newest_sql(task.root, task.care.dialect, task.care.dataset).items()
    ]


def _widen(task: _Task) -> list[dict[str, Any]]:
    import pyarrow as pa

    from tocsin.lake.datasets import chosen
    from tocsin.lake.widening import widen

    column, _, kind = (task.care.column or "").rpartition("=")
    if task.care.dataset is None or not column:
        raise _Wrong("widen needs --dataset NAME --column NAME=TYPE, such as count=int64")
    try:
        known = pa.type_for_alias(kind)
    except ValueError:
        raise _Wrong(f"'{kind}' is no type; write int16, int32, int64 or float64") from None
    (folder,) = chosen(task.root, task.care.dataset)
    return [asdict(widen(folder, column, known))]


def _adopt(task: _Task) -> list[dict[str, Any]]:
    from tocsin.lake.adoption import adopt
    from tocsin.lake.datasets import old_datasets_of

    name, owner = task.care.dataset, task.care.owner
    if owner is not None and (name is None or owner.count("/") != 1):
        raise _Wrong("--owner is JOB/STEP, and needs --dataset NAME")
    folders = old_datasets_of(task.root) if name is None else [task.root / name]
    return [asdict(adopt(folder, owner)) for folder in folders]


_COUNTS = {
    *("version", "files", "rows", "bytes", "before", "after", "folded", "deleted"),
    *("adopted", "rewritten"),
}
_TASKS: dict[str, tuple[list[str], Callable[[_Task], list[dict[str, Any]]]]] = {
    "contents": (
        ["dataset", "rows", "files", "bytes", "from", "to", "keys", "columns"],
        _contents,
    ),
    "compact": (["dataset", "before", "after", "rows"], _compact),
    "maintain": (
        ["dataset", "version", "before", "after", "folded", "checkpoint", "deleted"],
        _maintain,
    ),
    "retain": (["dataset", "version", "files", "rows"], _retain),
    "erase": (["dataset", "version", "files", "rows"], _erase),
    "export": (["dataset", "version", "to", "rows", "geometry"], _export),
    "newest": (["sql"], _newest),
    "widen": (["dataset", "version", "column", "type", "files"], _widen),
    "adopt": (["dataset", "version", "adopted", "rewritten", "rows", "owner"], _adopt),
}
WORDS = tuple(_TASKS)
"""The words that `care` takes."""
