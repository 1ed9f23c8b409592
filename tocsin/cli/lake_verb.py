"""`tocsin lake`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from cyclopts import Parameter

from tocsin.cli.console import DONE, FAILED, WRONG, complain, say, show_json, table
from tocsin.cli.option_values import duration_option
from tocsin.kafka.connection import Kafka


def lake(
    folder: str,
    query: str | None = None,
    *,
    brokers: str | None = None,
    dataset: str | None = None,
    older_than: str = "1 d",
    where: str | None = None,
    also: Annotated[list[Path] | None, Parameter(negative=())] = None,
    timeout: str = "5 min",
    json: bool = False,
) -> int:
    """List the datasets of a lake, query it with SQL (DuckDB), or maintain it.

    In SQL, DATASET is the newest revision of each row, and DATASET_all holds all revisions. SQL
    reads the lake and the files of --also. It opens nothing else, writes nothing and changes no
    setting.

    In place of SQL, one of these words maintains the lake: `check` compares the offsets in the
    files with one another and, with --brokers, with the topic. `contents` lists columns, rows,
    times and keys of each dataset. `compact` merges small files. `retain` deletes rows older than
    their retention. `erase` deletes the rows of --where.

    Parameters
    ----------
    folder
        Folder of the lake.
    query
        SQL, or one of the words check, contents, compact, retain, erase.
    brokers
        For check: Kafka brokers, to compare with the topics as they are now.
    dataset
        For compact and erase: change only this dataset.
    older_than
        For compact: leave files alone that are newer than this, counted from the newest file,
        because jobs still write there.
    where
        For erase: the rows to delete as column=value, such as lock_id=lock-00017.
    also
        For SQL: another file or folder that it may read, such as labels.parquet. Repeat it for
        more.
    timeout
        For SQL: how long a query may take.
    json
        Print the result as JSON.
    """
    import duckdb

    from tocsin.lake.query import open_lake
    from tocsin.lake.sealed import TooMuch, WritingQuery, read_only, rows_of, seal, timed

    root = Path(folder)
    if not root.is_dir():
        complain(f"no lake at {folder}")
        return WRONG
    if query == "check":
        return _check(root, brokers, json)
    if query in ("contents", "compact", "retain", "erase"):
        return _care(root, query, dataset, older_than, where, json)
    connection, datasets = open_lake(root)
    if query is None:
        rows = [[d.name, d.files, d.rows, d.first or "", d.last or ""] for d in datasets]
        headers = ["dataset", "files", "rows", "from", "to"]
        show_json([dict(zip(headers, row, strict=True)) for row in rows]) if json else say(
            table(headers, rows, right=(1, 2))
        )
        return DONE
    seconds = duration_option("--timeout", timeout) / 1e6
    try:
        with TemporaryDirectory(prefix="tocsin-") as spill, timed(connection, seconds):
            seal(connection, root, also or [], Path(spill))
            result = read_only(connection, query)
            headers = [column[0] for column in result.description]
            rows = [list(row) for row in rows_of(result)]
    except TooMuch as error:
        complain(str(error))
        return FAILED
    except (duckdb.Error, WritingQuery) as error:
        complain(str(error).replace("\n", " ").strip())
        return WRONG
    if json:
        show_json([dict(zip(headers, row, strict=True)) for row in rows])
    else:
        say(table(headers, rows))
    return DONE


def _check(root: Path, brokers: str | None, json: bool) -> int:
    from tocsin.lake.audit import audit_lake

    report = audit_lake(root, Kafka(brokers=brokers) if brokers else None)
    if json:
        show_json(report.as_dict())
    else:
        say(report.text())
    return DONE if report.is_good else FAILED


def _care(
    root: Path, word: str, dataset: str | None, older_than: str, where: str | None, json: bool
) -> int:
    from tocsin.lake.catalog import catalog
    from tocsin.lake.compaction import compact
    from tocsin.lake.retention import erase, retain

    column, separator, value = (where or "").partition("=")
    if word == "erase" and not (column and separator):
        complain("erase needs --where column=value, such as lock_id=lock-00017")
        return WRONG
    if word == "contents":
        found = catalog(root)
        shown = [
            {**one, "columns": ", ".join(one["columns"]), "keys": ", ".join(one["keys"])}
            for one in found
        ]
        names = ["dataset", "rows", "files", "bytes", "from", "to", "keys", "columns"]
    elif word == "compact":
        found = shown = [
            asdict(one)
            for one in compact(root, duration_option("--older-than", older_than), dataset)
        ]
        names = ["dataset", "before", "after", "rows"]
    else:
        gone = retain(root) if word == "retain" else erase(root, column, value, dataset)
        found = shown = [asdict(one) for one in gone]
        names = ["dataset", "files", "rows"]
    if json:
        show_json(found)
    else:
        say(
            table(
                names,
                [[one[name] for name in names] for one in shown],
                right=tuple(range(1, min(len(names), 4))),
            )
        )
    return DONE
