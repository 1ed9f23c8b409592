"""SQL of others over a lake: it reads the lake, and nothing else."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb

from tocsin.lake.query import text_in_sql

_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
# What an EXPLAIN may explain. EXPLAIN ANALYZE runs its statement, which could be a COPY.
_EXPLAINED = ("select", "from", "with", "values", "table", "unpivot", "describe", "show")
# Nodes of DuckDB's tree of a SELECT. `with n as (copy …) select` has others, and writes.
_NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
# Functions that run a text as SQL, which no tree shows.
_RUNNING = {"query", "json_execute_serialized_sql"}
# Rows that a query may return: they are held as Python values.
MOST_ROWS = 1_000_000
# How much of a query's intermediate rows may go to the disk.
MOST_SPILLED = "10 GiB"


class WritingQuery(ValueError):
    """A statement that does more than read."""


class TooMuch(Exception):
    """A query that takes longer, or returns more, than it may."""


def seal(connection: Any, root: Path, also: Iterable[Path] = (), spill: Path | None = None) -> None:
    """Let a connection open files of the lake, load no extension and change no setting.

    It takes half of the memory.

    Args:
        connection: of DuckDB.
        root: folder of the lake.
        also: other files, and folders with files, that it may open.
        spill: an empty folder for up to MOST_SPILLED of what does not fit into memory. DuckDB lets
            queries read it. Without one, a query that needs more memory fails.
    """
    paths = [root.resolve(), *(path.resolve() for path in also)]
    folders = [f"{path}/" for path in paths if path.is_dir()]
    connection.execute(f"set allowed_directories = {_texts(folders)}")
    connection.execute(f"set allowed_paths = {_texts(map(str, paths))}")
    connection.execute("set memory_limit = '50%'")
    connection.execute(f"set temp_directory = {text_in_sql(str(spill or ''))}")
    connection.execute(f"set max_temp_directory_size = '{MOST_SPILLED}'")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


def _texts(values: Iterable[str]) -> str:
    """A list of texts in SQL."""
    return "[" + ", ".join(map(text_in_sql, values)) + "]"


@contextmanager
def timed(connection: Any, seconds: float) -> Iterator[None]:
    """Interrupt the queries of a connection after some seconds of the clock. Raises TooMuch."""
    timer = threading.Timer(seconds, connection.interrupt)
    timer.start()
    try:
        yield
    except duckdb.InterruptException:
        raise TooMuch(f"the query takes longer than {seconds:g} s") from None
    finally:
        timer.cancel()


def read_only(connection: Any, query: str) -> Any:
    """The result of a query that reads.

    Raises WritingQuery for COPY, INSERT, SET, EXPLAIN ANALYZE and every other statement that could
    write, and duckdb.Error for SQL that is wrong.
    """
    with suppress(duckdb.TransactionException):
        connection.rollback()
    statements = connection.extract_statements(query)
    for statement in statements:
        _check(connection, statement)
    if not statements:
        raise WritingQuery("the query is empty")
    # The second line of defence: no transaction of a lake changes a table.
    connection.execute("begin transaction read only")
    return connection.execute(query)


def rows_of(result: Any) -> list[tuple[Any, ...]]:
    """The rows of a result. Raises TooMuch for more than MOST_ROWS."""
    rows: list[tuple[Any, ...]] = []
    while some := result.fetchmany(10_000):
        rows += some
        if len(rows) > MOST_ROWS:
            raise TooMuch(f"the query returns more than {MOST_ROWS:,} rows; limit it")
    return rows


def _check(connection: Any, statement: Any) -> None:
    if statement.type == duckdb.StatementType.MULTI:
        raise WritingQuery("a PIVOT of a lake names its values: `pivot … on column in ('a', 'b')`")
    if statement.type not in _READING:
        raise WritingQuery(
            f"a query of a lake reads: SELECT, DESCRIBE, SUMMARIZE or EXPLAIN, and not "
            f"{statement.type.name}"
        )
    if statement.type == duckdb.StatementType.EXPLAIN:
        if not _explains_reading(statement):
            raise WritingQuery(
                "a query of a lake explains SELECT, and leaves out ANALYZE, which would run it"
            )
        return
    serialized = "select json_serialize_sql(?::varchar)"
    tree = json.loads(connection.execute(serialized, [statement.query]).fetchone()[0])
    if tree["error"]:
        raise WritingQuery("a query of a lake is one that DuckDB can show as a tree of SELECT")
    for kind, name in _parts(tree):
        if kind.endswith("_NODE") and kind not in _NODES:
            verb = kind.removesuffix("_NODE").removesuffix("_QUERY")
            raise WritingQuery(f"a query of a lake reads, and this one holds a {verb}")
        if name in _RUNNING:
            raise WritingQuery(f"a query of a lake does not call {name}(), which runs a text")


def _parts(tree: Any) -> Iterator[tuple[str, str]]:
    """Type and name of function of each part of a tree, where it has them."""
    waiting = [tree]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield str(part.get("type", "")), str(part.get("function_name", "")).lower()
        inner = part.values() if isinstance(part, dict) else part
        waiting += [one for one in inner if isinstance(one, dict | list)]


def _explains_reading(statement: Any) -> bool:
    """Whether the word after EXPLAIN starts a query; comments may come between."""
    text = statement.query.encode()
    starts = [
        at for at, kind in duckdb.tokenize(statement.query) if kind != duckdb.token_type.comment
    ]
    after = text[starts[1] :].decode().lower() if len(starts) > 1 else ""
    return after.startswith(_EXPLAINED)
