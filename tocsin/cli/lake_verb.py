"""`tocsin lake`."""

from __future__ import annotations

from pathlib import Path

from tocsin.cli.console import DONE, FAILED, WRONG, complain, say, show_json, table
from tocsin.parts.connection import Kafka


def lake(folder: str, query: str | None = None, *, brokers: str | None = None, json: bool = False) -> int:
    """Query a lake with SQL (DuckDB); without a query list its datasets. `tocsin lake FOLDER check` checks it.

    A dataset is a view of its newest revisions; `DATASET_all` has every revision. The check compares the offsets in the
    files with one another and, with --brokers, with the topic.

    Parameters
    ----------
    folder
        The lake.
    query
        SQL, or the word check.
    brokers
        For the check: compare with the topics as they are now.
    json
        Print the result as JSON.
    """
    import duckdb

    from tocsin.lake.check import check_lake
    from tocsin.lake.query import open_lake

    root = Path(folder)
    if not root.is_dir():
        complain(f"no lake at {folder}")
        return WRONG
    if query == "check":
        report = check_lake(root, Kafka(brokers=brokers) if brokers else None)
        if json:
            show_json(report.as_dict())
        else:
            say(report.text())
        return DONE if report.is_good else FAILED
    connection, datasets = open_lake(root)
    if query is None:
        rows = [[d.name, d.files, d.rows, d.first or "", d.last or ""] for d in datasets]
        headers = ["dataset", "files", "rows", "from", "to"]
        show_json([dict(zip(headers, row, strict=True)) for row in rows]) if json else say(table(headers, rows, right=(1, 2)))
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
