"""`tocsin lake`."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from cyclopts import Parameter

from tocsin.cli.console import DONE, FAILED, WRONG, complain, note, say, show_json, table
from tocsin.cli.lake_care import WORDS, Care, care
from tocsin.cli.option_values import duration_option
from tocsin.kafka.connection import Kafka


def lake(
    folder: str,
    query: str | None = None,
    *,
    at: str | None = None,
    brokers: str | None = None,
    skip_unreadable: bool = False,
    also: Annotated[list[Path] | None, Parameter(negative=())] = None,
    timeout: str = "5 min",
    json: bool = False,
    on: Care | None = None,
) -> int:
    """List the datasets of a lake, query it with SQL (DuckDB), or maintain it.

    In SQL, DATASET is the newest revision of each row, and DATASET_all holds all revisions. SQL
    reads the lake and the files of --also. It opens nothing else, writes nothing and changes no
    setting.

    In place of SQL, one of these words maintains the lake. Jobs may write meanwhile, except during
    `adopt`. `check` compares files, rows and marks with the log, looks for rows that are there
    twice, and with --brokers compares offsets with the topic. `contents` lists columns, rows,
    times and keys of each dataset. `maintain` merges small files, writes checkpoints of the log and
    deletes files that left the tables before --delay. `compact` only merges small files. `retain`
    removes rows older than their retention. `erase` deletes the rows of --where and their files at
    once. `export` writes one plain file. `newest` prints the SQL of the newest revisions for other
    programs. `widen` gives a column a wider type. `adopt` takes over datasets of the layout
    before tables, or gives a dataset to another step.

    Parameters
    ----------
    folder
        Folder of the lake; or s3://BUCKET/FOLDER, with the connection of the variables AWS_….
    query
        SQL, or one of the words check, contents, maintain, compact, retain, erase, export,
        newest, widen, adopt.
    at
        For SQL and export: each table as it was, at a version such as 12 or at a time such as
        2026-03-02T10:00:00Z.
    brokers
        For check: Kafka brokers, to compare with the topics as they are now.
    skip_unreadable
        For SQL: leave out files that are missing, cannot be read or whose bytes have changed, and
        name them.
    also
        For SQL: another file or folder that it may read, such as labels.parquet. Repeat it for
        more.
    timeout
        For SQL: how long a query may take.
    json
        Print the result as JSON.
    """
    from tocsin.lake.roots import lake_root

    with lake_root(folder) as root:
        if query == "check":
            return _check(root, brokers, json)
        if query in WORDS:
            return care(root, query, on or Care(), at, json)
        skip = _skipped(root, at) if skip_unreadable else []
        if query is None:
            return _list(root, skip, at, json)
        return _select(root, query, (skip, at, also or [], timeout), json)


def _skipped(root: Path, at: str | None) -> list[Path]:
    from tocsin.lake.datasets import datasets_of, table_of
    from tocsin.lake.file_checks import damaged
    from tocsin.lake.roots import shown

    bad: dict[Path, str] = {}
    for folder in datasets_of(root):
        bad |= damaged(table_of(folder, at))
    for sentence in bad.values():
        note(f"left out: {shown(sentence)}")
    return list(bad)


def _list(root: Path, skip: list[Path], at: str | None, json: bool) -> int:
    from tocsin.lake.query import open_lake

    _, datasets = open_lake(root, skip, at)
    rows = [[d.name, d.files, d.rows, d.first or "", d.last or ""] for d in datasets]
    headers = ["dataset", "files", "rows", "from", "to"]
    show_json([dict(zip(headers, row, strict=True)) for row in rows]) if json else say(
        table(headers, rows, right=(1, 2))
    )
    return DONE


def _select(
    root: Path, query: str, how: tuple[list[Path], str | None, list[Path], str], json: bool
) -> int:
    import duckdb

    from tocsin.lake.query import open_views
    from tocsin.lake.roots import shown
    from tocsin.lake.sealed import TooMuch, WritingQuery, read_only, rows_of, seal, timed

    skip, at, also, timeout = how
    seconds = duration_option("--timeout", timeout) / 1e6
    connection, _ = open_views(root, skip, at, query)
    try:
        with TemporaryDirectory(prefix="tocsin-") as spill, timed(connection, seconds):
            seal(connection, root, also, Path(spill))
            result = read_only(connection, query)
            headers = [column[0] for column in result.description]
            rows: list[list[Any]] = [list(row) for row in rows_of(result)]
    except TooMuch as error:
        complain(str(error))
        return FAILED
    except (duckdb.Error, WritingQuery) as error:
        complain(shown(str(error)).replace("\n", " ").strip())
        return WRONG
    if json:
        show_json([dict(zip(headers, row, strict=True)) for row in rows])
    else:
        say(table(headers, rows))
    return DONE


def _check(root: Path, brokers: str | None, json: bool) -> int:
    from tocsin.lake.audit import audit_lake
    from tocsin.lake.roots import shown

    report = audit_lake(root, Kafka(brokers=brokers) if brokers else None)
    report.lake = shown(report.lake)
    report.problems = [shown(one) for one in report.problems]
    if json:
        show_json(report.as_dict())
    else:
        say(report.text())
    return DONE if report.is_good else FAILED
