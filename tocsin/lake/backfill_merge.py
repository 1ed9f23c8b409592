"""Merges the files of a backfill into a lake. Only files whose rows differ are replaced."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from tocsin.kernels.column_notes import without_metadata
from tocsin.kernels.time.file_timestamps import parse_timestamp
from tocsin.lake.atomic_replace import exchange_folders, remove_folder, staging_name
from tocsin.lake.query import LakeOffsets, files_of, footer, merged, offsets_in, table_in


@dataclass
class MergedDataset:
    """The outcome for a dataset's files.

    Attributes:
        same: number of files with equal rows, which stay untouched.
        changed: files that were replaced.
        new: files that were added.
        gone: files that were removed, because the rerun produced no rows for them.
        kept: files that stay, because not all of their messages were read again.
    """

    dataset: str
    same: int = 0
    changed: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


def merge_backfill(
    staged: Path, root: Path, datasets: list[str], since: int | None = None
) -> list[MergedDataset]:
    """Move the files of some datasets from a staged lake to their places in a lake.

    These files of the lake stay untouched: files with equal rows; files whose messages were not all
    read again, because the topic has deleted some or a running job has read more; files that end at
    `since` or before. Each file is replaced atomically, and a compacted folder as a whole.

    Args:
        staged: folder of the backfill's lake, on the same disk.
        root: folder of the lake.
        datasets: names of the datasets to merge.
        since: microseconds since 1970; None to merge all files.

    Raises:
        Failure: the file system cannot exchange two folders.
    """
    covered = merged(offsets_in(footer(file)) for file in files_of(staged))
    return [
        _Merge(MergedDataset(dataset), staged / dataset, root / dataset, covered, since).done()
        for dataset in datasets
    ]


Headed = dict[str, tuple[Path, dict[str, str]]]
"""Files by name, with their footers."""


@dataclass
class _Merge:
    """The merge of one dataset. covered: the offsets that were read again."""

    found: MergedDataset
    staged: Path
    dataset: Path
    covered: LakeOffsets
    since: int | None

    def done(self) -> MergedDataset:
        both = (self.staged, self.dataset)
        for folder in sorted(
            {file.parent.relative_to(whole) for whole in both for file in files_of(whole)}
        ):
            ours, theirs = _by_name(self.staged / folder), _by_name(self.dataset / folder)
            if any("tocsin.units" in head for _, head in theirs.values()):
                self._merge_compacted(folder, ours, theirs)
            else:
                for name in sorted(ours.keys() | theirs.keys()):
                    self._merge_file(folder / name, ours.get(name), theirs.get(name))
        return self.found

    def _merge_file(
        self,
        name: Path,
        ours: tuple[Path, dict[str, str]] | None,
        theirs: tuple[Path, dict[str, str]] | None,
    ) -> None:
        present = theirs or ours
        if present is None or self._is_before(present[1]):
            return
        if theirs is None and ours is not None:
            (self.dataset / name).parent.mkdir(parents=True, exist_ok=True)
            ours[0].replace(self.dataset / name)
            self.found.new.append(str(name))
        elif ours is not None and rows_digest([present[0]]) == rows_digest([ours[0]]):
            self.found.same += 1
        elif not self._was_read(present[1], replaced=ours is not None):
            self.found.kept.append(str(name))
        elif ours is None:
            present[0].unlink()
            self.found.gone.append(str(name))
        else:
            ours[0].replace(present[0])
            self.found.changed.append(str(name))

    def _merge_compacted(self, folder: Path, ours: Headed, theirs: Headed) -> None:
        """Merge a folder whose files are compacted: it stays, or is exchanged as a whole."""
        files, names = (
            [file for file, _ in theirs.values()],
            [str(folder / name) for name in theirs],
        )
        if all(self._is_before(head) for _, head in theirs.values()):
            return
        is_cut = self.since is not None and any(
            parse_timestamp(name.split("-")[0]) < self.since for name in theirs
        )
        if ours and rows_digest(files) == rows_digest([file for file, _ in ours.values()]):
            self.found.same += len(files)
        elif is_cut or not all(
            self._was_read(head, replaced=bool(ours)) for _, head in theirs.values()
        ):
            self.found.kept += names
        else:
            # Outside of the dataset, because readers would see it there.
            staging = self.dataset.parent / staging_name("merge")
            staging.mkdir()
            try:
                for name, (file, _) in ours.items():
                    file.replace(staging / name)
                exchange_folders(self.dataset / folder, staging)
            finally:
                remove_folder(staging)
            (self.found.changed if ours else self.found.gone).extend(names)

    def _is_before(self, head: dict[str, str]) -> bool:
        return self.since is not None and int(head["tocsin.until"]) <= self.since

    def _was_read(self, head: dict[str, str], *, replaced: bool) -> bool:
        """Whether all messages of a file were read again.

        A file without offsets in its footer may be replaced, but not removed.
        """
        sources = [
            (topic, *item)
            for topic, partitions in offsets_in(head).items()
            for item in partitions.items()
        ]
        if not sources:
            return replaced
        return all(
            partition in self.covered.get(topic, {})
            and self.covered[topic][partition][0] <= first
            and last <= self.covered[topic][partition][1]
            for topic, partition, (first, last) in sources
        )


def _by_name(folder: Path) -> Headed:
    files = sorted(folder.glob("*.parquet")) if folder.is_dir() else []
    return {file.name: (file, footer(file)) for file in files if not file.name.startswith(".")}


def rows_digest(files: list[Path]) -> str:
    """SHA-256 of the rows of files, in their order.

    Footers do not count, because they hold the offsets of batches, which differ between runs. Units
    and descriptions of columns do not count either.
    """
    tables = [without_metadata(table_in(file)) for file in files]
    rows = pa.concat_tables(tables, promote_options="default").combine_chunks()
    stream: Any = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, rows.schema) as writer:
        writer.write_table(rows)
    return hashlib.sha256(stream.getvalue()).hexdigest()
