"""SQL of the newest revisions, for programs that read the tables of a lake themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tocsin.lake.datasets import chosen, keys_of, table_of
from tocsin.lake.query import quoted, text_in_sql
from tocsin.lake.superseded import REVISION


def _in_backticks(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


# How a program quotes a name, and names the table in a folder.
_DIALECTS: dict[str, tuple[Callable[[str], str], Callable[[Path], str]]] = {
    "duckdb": (quoted, lambda folder: f"delta_scan({text_in_sql(str(folder))})"),
    "spark": (_in_backticks, lambda folder: f"delta.{_in_backticks(str(folder))}"),
    "trino": (quoted, lambda folder: quoted(folder.name)),
}


def newest_sql(root: Path, dialect: str, dataset: str | None = None) -> dict[str, str]:
    """A SELECT of the newest revisions, by dataset.

    Args:
        root: folder of the lake.
        dialect: `duckdb` (with its extension `delta`), `spark` (with delta-spark), or `trino`
            (with a table of the dataset's name in the current schema).
        dataset: its name; None for all.

    Raises:
        Failure: if there is no such dataset, or a file cannot be read.
    """
    found = {}
    for folder in chosen(root, dataset):
        table = table_of(folder)
        keys = keys_of(table) if REVISION in table.schema.names else []
        name, named = _DIALECTS[dialect]
        source = named(folder.resolve())
        columns = [name(column) for column in table.schema.names]
        found[folder.name] = sql_of(source, columns, [name(key) for key in keys], name(REVISION))
    return found


def sql_of(source: str, columns: list[str], keys: list[str], revision: str) -> str:
    """The SELECT of a source. All names are quoted already; without keys it has every row."""
    listed = ", ".join(columns)
    if not keys:
        return f"select {listed} from {source};"  # noqa: S608 - names are quoted
    number = f"row_number() over (partition by {', '.join(keys)} order by {revision} desc)"
    return (
        f"select {listed} from (select {listed}, {number} as _newest "  # noqa: S608 - as above
        f"from {source}) as ranked where _newest = 1;"
    )
