"""SQL of others over a lake: it reads the lake, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb

_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.MULTI)


class WritingQuery(ValueError):
    """A statement that does more than read."""


def seal(connection: Any, root: Path, also: Iterable[Path] = ()) -> None:
    """Let a connection open files of the lake, load no extension and change no setting.

    also: other files, and folders with files, that it may open.
    """
    paths = [root.resolve(), *(path.resolve() for path in also)]
    folders = [f"{path}/" for path in paths if path.is_dir()]
    connection.execute(f"set allowed_directories = {_texts(folders)}")
    connection.execute(f"set allowed_paths = {_texts(map(str, paths))}")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


def _texts(values: Iterable[str]) -> str:
    """A list of texts in SQL."""
    return "[" + ", ".join("'" + value.replace("'", "''") + "'" for value in values) + "]"


def read_only(connection: Any, query: str) -> Any:
    """The result of a query that reads.

    Raises WritingQuery for COPY, INSERT, SET and every other statement that could write, and
    duckdb.Error for SQL that is wrong.
    """
    statements = connection.extract_statements(query)
    for statement in statements:
        if statement.type not in _READING:
            raise WritingQuery(
                f"a query of a lake reads: SELECT, DESCRIBE, SUMMARIZE or EXPLAIN, and not "
                f"{statement.type.name}"
            )
    if not statements:
        raise WritingQuery("the query is empty")
    return connection.execute(query)
