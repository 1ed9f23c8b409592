"""SQL of others over a lake: it reads the lake, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.MULTI)


class WritingQuery(ValueError):
    """A statement that does more than read."""


def seal(connection: Any, root: Path) -> None:
    """Let a connection open files of the lake alone, load no extension and change no setting."""
    folder = str(root.resolve()).replace("'", "''")
    connection.execute(f"set allowed_directories = ['{folder}/']")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


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
