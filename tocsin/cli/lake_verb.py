"""`tocsin lake`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from tocsin.cli.console import DONE, FAILED, WRONG, complain, say, show_json, table
from tocsin.cli.option_values import given_duration
from tocsin.kafka.connection import Kafka


def lake(
    folder: str,
    query: str | None = None,
    *,
    brokers: str | None = None,
    dataset: str | None = None,
    older_than: str = "1 d",
    where: str | None = None,
    json: bool = False,
) -> int:
    """Query a lake with SQL (DuckDB), or look after it; without a query list its datasets.

    A dataset is a view of its newest revisions; `DATASET_all` has every revision. In place of a query: check (compare the offsets
    in the files with one another and, with --brokers, with the topic), contents (columns, rows, times, keys of each dataset),
    compact (small files into large ones), retain (delete what is older than its retention), erase (delete the rows of --where).

    Parameters
    ----------
    folder
        The lake.
    query
        SQL, or one of the words check, contents, compact, retain, erase.
    brokers
        For the check: compare with the topics as they are now.
    dataset
        For compact and erase: only this one.
    older_than
        For compact: leave alone what is newer than the newest by less than this, as jobs still write there.
    where
        For erase: column=value, such as lock_id=lock-00017.
    json
        Print the result as JSON.
    """
    import duckdb

    from tocsin.lake.query import open_lake

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
    try:
        result = connection.execute(query)
    except duckdb.Error as error:
        complain(str(error).replace("\n", " ").strip())
        return WRONG
    headers = [column[0] for column in result.description]
    rows = [list(row) for row in result.fetchall()]
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
            for one in compact(root, given_duration("--older-than", older_than), dataset)
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
