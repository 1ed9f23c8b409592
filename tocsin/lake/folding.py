"""Folds revisions: only the newest of each key stays, where no later one can come."""

from __future__ import annotations

from pathlib import Path

from tocsin.lake.footers import footer, units_in
from tocsin.lake.rewriting import Gone, without_rows
from tocsin.lake.superseded import superseded
from tocsin.table.owner import OWNER
from tocsin.table.table import Table


def fold_revisions(folder: Path, older_than: int = 0) -> int:
    """Remove the rows that a later revision supersedes, in one transaction; their number.

    Files keep their footers, an empty file if need be, so units and offsets stay known. Marks stay
    too, so a restarted job does not write the rows again. Rows of an open file stay: the live job
    may still revise its span, or the run that writes it has not ended.

    Args:
        folder: of the dataset.
        older_than: microseconds; files stay that are newer than the dataset's newest by less.

    Raises:
        Failure: if a file cannot be read, or others change the same files all the time.
    """

    def gone_of(table: Table) -> Gone:
        gone = superseded(table)
        if not gone:
            return gone
        heads = {file.path: footer(folder / file.path) for file in table.files()}
        latest = [int(head["tocsin.until"]) for head in heads.values() if "tocsin.until" in head]
        limit = max(latest, default=0) - older_than
        return {path: rows for path, rows in gone.items() if is_closed(table, heads[path], limit)}

    operation = "FOLD REVISIONS"
    done = without_rows(str(folder), operation, gone_of, whole_version=True, keeps_footers=True)
    return done.rows


def is_closed(table: Table, head: dict[str, str], limit: int) -> bool:
    """Whether no later revision can come for the rows of a file.

    A live job is past the moment at which the last revision of the file's units falls due; a run
    with an end has read its input to the end.

    Args:
        table: with the marks.
        head: the file's footer. Without an allowed lateness, only `limit` decides.
        limit: a file that ends later is open, microseconds since 1970.
    """
    if int(head.get("tocsin.until", limit + 1)) > limit:
        return False
    owner, run = table.properties.get(OWNER, ""), head.get("tocsin.run", "")
    shards = {unit.split(".")[1] for unit in units_in(head) if "." in unit}
    if run:
        return all(table.mark(f"{owner}/{run}/{shard}/end") is not None for shard in shards)
    if "tocsin.lateness" not in head:
        return True
    last = int(head["tocsin.until"]) + int(head["tocsin.lateness"])
    marks = [table.mark(f"{owner}//{shard}") for shard in shards]
    return all(mark is not None and mark >= last for mark in marks)
