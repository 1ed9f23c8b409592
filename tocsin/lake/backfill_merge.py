"""What was written anew beside a lake, into it: only the files that hold other rows are touched."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from tocsin.kernels.time.file_timestamps import parse_timestamp
from tocsin.lake.atomic_replace import exchange, remove_folder, workshop
from tocsin.lake.query import LakeOffsets, files_of, footer, merged, offsets_in


@dataclass
class Put:
    """What became of a dataset's files. same: hold the rows that they held. changed, new: written. gone: nothing is left of their
    rows. kept: come from messages that were not all read again, and stay as they are."""

    dataset: str
    same: int = 0
    changed: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


def put(staged: Path, root: Path, datasets: list[str], since: int | None = None) -> list[Put]:
    """Move the files of some datasets from a staged lake, which is on the same disk, to their places in a lake.

    A file with the same rows stays untouched. One whose messages were not all read again (a topic forgets its oldest; a job that
    runs has read on) stays as it is, as does what ends at `since` (microseconds) or before. Each file takes its place at once; a
    folder that was compacted is exchanged as a whole.
    """
    covered = merged(offsets_in(footer(file)) for file in files_of(staged))
    return [
        _Putting(Put(dataset), staged / dataset, root / dataset, covered, since).done()
        for dataset in datasets
    ]


Headed = dict[str, tuple[Path, dict[str, str]]]
"""Files by name, with their footers."""


@dataclass
class _Putting:
    """One dataset. covered: what was read again."""

    found: Put
    staged: Path
    dataset: Path
    covered: LakeOffsets
    since: int | None

    def done(self) -> Put:
        both = (self.staged, self.dataset)
        for folder in sorted(
            {file.parent.relative_to(whole) for whole in both for file in files_of(whole)}
        ):
            ours, theirs = _by_name(self.staged / folder), _by_name(self.dataset / folder)
            if any("tocsin.units" in head for _, head in theirs.values()):
                self._put_folder(folder, ours, theirs)
            else:
                for name in sorted(ours.keys() | theirs.keys()):
                    self._put_file(folder / name, ours.get(name), theirs.get(name))
        return self.found

    def _put_file(
        self,
        name: Path,
        ours: tuple[Path, dict[str, str]] | None,
        theirs: tuple[Path, dict[str, str]] | None,
    ) -> None:
        known = theirs or ours
        if known is None or self._is_before(known[1]):
            return
        if theirs is None and ours is not None:
            (self.dataset / name).parent.mkdir(parents=True, exist_ok=True)
            ours[0].replace(self.dataset / name)
            self.found.new.append(str(name))
        elif ours is not None and rows_digest([known[0]]) == rows_digest([ours[0]]):
            self.found.same += 1
        elif not self._was_read(known[1], replaced=ours is not None):
            self.found.kept.append(str(name))
        elif ours is None:
            known[0].unlink()
            self.found.gone.append(str(name))
        else:
            ours[0].replace(known[0])
            self.found.changed.append(str(name))

    def _put_folder(self, folder: Path, ours: Headed, theirs: Headed) -> None:
        """A folder where units stand together in large files: the same as it was, or another one in its place."""
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
            # Not within the dataset, where readers would see it.
            beside = self.dataset.parent / workshop("putting")
            beside.mkdir()
            try:
                for name, (file, _) in ours.items():
                    file.replace(beside / name)
                exchange(self.dataset / folder, beside)
            finally:
                remove_folder(beside)
            (self.found.changed if ours else self.found.gone).extend(names)

    def _is_before(self, head: dict[str, str]) -> bool:
        return self.since is not None and int(head["tocsin.until"]) <= self.since

    def _was_read(self, head: dict[str, str], *, replaced: bool) -> bool:
        """Whether all messages of a file were read again. One that does not say which may be replaced, not removed."""
        said = [
            (topic, *span) for topic, spans in offsets_in(head).items() for span in spans.items()
        ]
        if not said:
            return replaced
        return all(
            partition in self.covered.get(topic, {})
            and self.covered[topic][partition][0] <= first
            and last <= self.covered[topic][partition][1]
            for topic, partition, (first, last) in said
        )


def _by_name(folder: Path) -> Headed:
    files = sorted(folder.glob("*.parquet")) if folder.is_dir() else []
    return {file.name: (file, footer(file)) for file in files if not file.name.startswith(".")}


def rows_digest(files: list[Path]) -> str:
    """Of the rows of files, in their order; not of the bytes: a footer tells the offsets of batches, which differ."""
    tables = [
        parquet.read_table(file, partitioning=None).replace_schema_metadata(None) for file in files
    ]
    rows = pa.concat_tables(tables, promote_options="default").combine_chunks()
    stream: Any = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, rows.schema) as writer:
        writer.write_table(rows)
    return hashlib.sha256(stream.getvalue()).hexdigest()
