"""The regular care of a lake: compaction, checkpoints of the log, vacuum."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tocsin.lake.compaction import compact
from tocsin.lake.datasets import chosen, table_of
from tocsin.lake.folding import fold_revisions
from tocsin.table.checkpoints import checkpoint
from tocsin.table.leftovers import vacuum

DELAY = 7 * 86_400_000_000
"""Microseconds for which removed files stay, and with them the older versions."""
LOG_KEPT = 30 * 86_400
"""Seconds for which commits stay in the log, at least as long as removed files."""


@dataclass(frozen=True)
class Maintained:
    """The outcome for a dataset.

    version: the newest one afterwards. before, after: number of live files. folded: rows of older
    revisions that were removed. checkpoint: whether the log has a new one. deleted: files that no
    version within the delay held.
    """

    dataset: str
    version: int
    before: int
    after: int
    folded: int
    checkpoint: bool
    deleted: int


def maintain(
    root: Path,
    dataset: str | None = None,
    *,
    older_than: int = 0,
    delay: int = DELAY,
    fold: bool = False,
) -> list[Maintained]:
    """Merge small files, write checkpoints, and delete files that left the tables.

    Jobs may write meanwhile. Older versions than `delay` cannot be queried afterwards.

    Args:
        root: folder of the lake.
        dataset: name of the only dataset; None for all.
        older_than: microseconds; newer files are not merged, and their revisions not folded.
        delay: microseconds for which removed files stay, an hour at least.
        fold: remove the rows of older revisions too, where no later revision can come.

    Raises:
        Failure: if a file cannot be read, or there is no such dataset.
        ValueError: for a delay that is shorter than an hour.
    """
    seconds = delay / 1e6
    if seconds < 3600:
        raise ValueError("the delay of a vacuum is an hour at least, for files not committed yet")
    found = []
    for folder in chosen(root, dataset):
        place = str(folder)
        before = len(table_of(folder).files())
        folded = fold_revisions(folder, older_than) if fold else 0
        compact(root, older_than, folder.name)
        is_new = checkpoint(place, keep=max(LOG_KEPT, seconds)) is not None
        deleted = vacuum(place, seconds)
        table = table_of(folder)
        after = len(table.files())
        found.append(Maintained(folder.name, table.version, before, after, folded, is_new, deleted))
    return found
