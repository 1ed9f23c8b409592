"""Merges the rows of a backfill into a lake. Only units whose rows differ are replaced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from tocsin.foundation.failure import Failure
from tocsin.lake.datasets import files_of
from tocsin.lake.erasures import ERASURES
from tocsin.lake.footers import LakeOffsets, footer, merged, offsets_in, start_of, units_in
from tocsin.lake.row_order import rows_digest
from tocsin.lake.unit_groups import connected
from tocsin.table.columns import new_columns
from tocsin.table.commit import Change, NewFile, commit
from tocsin.table.linked import link_file
from tocsin.table.owner import BOUNDED, KIND, LIVE, OWNER
from tocsin.table.table import LiveFile, Table, create_table, open_table

Head = dict[str, str]


@dataclass
class MergedDataset:
    """The outcome for a dataset's files.

    Attributes:
        same: number of files with equal rows, which stay untouched.
        changed: files that were replaced.
        new: files that were added.
        gone: files that were removed, because the rerun produced no rows for them.
        kept: files that stay, because not all of their messages were read again; and files that
            were not added, because the live job has still to write their units.
    """

    dataset: str
    same: int = 0
    changed: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


def merge_backfill(
    staged: Path,
    root: Path,
    datasets: list[str],
    since: int | None = None,
    erased: Mapping[str, int] | None = None,
) -> list[MergedDataset]:
    """Exchange the units of some datasets for those of a staged lake, each dataset in one commit.

    These files of the lake stay: files of units with equal rows; files whose messages were not all
    read again, because the topic has deleted some or a running job has read more; files that end at
    `since` or before. The files of compacted units change together.

    Args:
        staged: folder of the backfill's lake, on the same disk.
        root: folder of the lake.
        datasets: names of the datasets to merge.
        since: microseconds since 1970; None to merge all files.
        erased: the `erasures` of the lake before the backfill read its first row; None if nobody
            can have erased rows since.

    Raises:
        Failure: if a file cannot be read, a column has another type in the lake, or rows were
            erased from a dataset since: the backfill may have read them before.
    """
    covered = merged(offsets_in(footer(file)) for file in files_of(staged))
    return [
        _Merge(staged / name, root / name, covered, since, (erased or {}).get(name)).done()
        for name in datasets
    ]


@dataclass
class _Part:
    """Files of the same units: ours of the backfill, theirs of the lake."""

    ours: list[LiveFile] = field(default_factory=list)
    theirs: list[LiveFile] = field(default_factory=list)


class _Merge:
    """The merge of one dataset.

    covered: the offsets that were read again. erased: erasures before that, None for any number.
    """

    def __init__(
        self,
        staged: Path,
        dataset: Path,
        covered: LakeOffsets,
        since: int | None,
        erased: int | None,
    ) -> None:
        self.staged, self.dataset, self.erased = staged, dataset, erased
        self.covered, self.since = covered, since
        self.found = MergedDataset(dataset.name)
        self._heads: dict[Path, Head] = {}
        self._digests: dict[frozenset[Path], str] = {}
        self._links: dict[str, NewFile] = {}
        self._source = open_table(str(staged))

    def done(self) -> MergedDataset:
        if open_table(str(self.dataset)) is None:
            if self._source is None:
                return self.found
            known = {name: self._source.properties.get(name) for name in (OWNER, KIND)}
            properties = {name: value for name, value in known.items() if value is not None}
            create_table(str(self.dataset), self._source.schema, [], properties)
        used: list[str] = []

        def change_of(table: Table) -> Change | None:
            self.found = MergedDataset(self.dataset.name)
            change = self._change(table)
            used[:] = [file.path for file in change.adds] if change else []
            return change

        try:
            commit(str(self.dataset), change_of)
        except Failure:
            used[:] = []
            raise
        finally:
            for file in self._links.values():
                if file.path not in used:
                    (self.dataset / file.path).unlink(missing_ok=True)
        return self.found

    def _check_erasures(self, table: Table) -> None:
        """Check that the backfill holds no rows that were erased since it read them."""
        if self.erased is not None and (table.mark(ERASURES) or 0) != self.erased:
            raise Failure(
                f"rows were erased from the dataset '{self.dataset.name}' while the backfill ran, "
                "which may have read them before; run the backfill again"
            )

    def _change(self, table: Table) -> Change | None:
        self._check_erasures(table)
        ours = self._source.files() if self._source else []
        adds: list[LiveFile] = []
        removes: list[LiveFile] = []
        for part in self._parts(ours, table.files()):
            self._judge(part, table, adds, removes)
        if not adds and not removes:
            return None
        added = [self._linked(file) for file in adds]
        columns = self._new_columns(table) if adds else []
        return Change("BACKFILL", added, removes, self._ends(adds, table), columns=columns)

    def _judge(
        self, part: _Part, table: Table, adds: list[LiveFile], removes: list[LiveFile]
    ) -> None:
        """Decide about the files of the same units, and note it."""
        found = self.found
        names = [file.path for file in part.theirs or part.ours]
        ours = {self.staged / file.path: file for file in part.ours}
        theirs = {self.dataset / file.path: file for file in part.theirs}
        if all(self._is_before(file) for file in theirs or ours):
            return
        if not theirs:
            if all(self._is_passed(file, table) for file in ours):
                adds += part.ours
                found.new += names
            else:
                found.kept += names
        elif ours and self._digest(ours) == self._digest(theirs):
            found.same += len(theirs)
        elif self._is_cut(theirs) or not all(
            self._was_read(self._head(file), replaced=bool(ours)) for file in theirs
        ):
            found.kept += names
        else:
            added, removed = self._without_equal(ours, theirs)
            removes += removed.values()
            adds += added.values()
            found.same += len(theirs) - len(removed)
            changed = [file.path for file in removed.values()]
            (found.changed if added or ours else found.gone).extend(changed)

    def _parts(self, ours: list[LiveFile], theirs: list[LiveFile]) -> list[_Part]:
        """Files of both sides by the units that they share, also through other files."""
        both = [(file, self.staged, True) for file in ours]
        both += [(file, self.dataset, False) for file in theirs]
        names = [units_in(self._head(place / file.path)) or [file.path] for file, place, _ in both]
        parts: dict[int, _Part] = {}
        for (file, _, is_ours), number in zip(both, connected(names), strict=True):
            part = parts.setdefault(number, _Part())
            (part.ours if is_ours else part.theirs).append(file)
        return list(parts.values())

    def _without_equal(
        self, ours: dict[Path, LiveFile], theirs: dict[Path, LiveFile]
    ) -> tuple[dict[Path, LiveFile], dict[Path, LiveFile]]:
        """The files of units without those that have equal rows on both sides."""
        known = {self._digest([path]): path for path in theirs}
        equal = {path: known.get(self._digest([path])) for path in ours}
        stay = {path for path in equal.values() if path is not None}
        return (
            {path: file for path, file in ours.items() if equal[path] is None},
            {path: file for path, file in theirs.items() if path not in stay},
        )

    def _head(self, file: Path) -> Head:
        if file not in self._heads:
            self._heads[file] = footer(file)
        return self._heads[file]

    def _digest(self, files: Iterable[Path]) -> str:
        known = frozenset(files)
        if known not in self._digests:
            self._digests[known] = rows_digest(sorted(known))
        return self._digests[known]

    def _is_before(self, file: Path) -> bool:
        until = self._head(file).get("tocsin.until")
        return self.since is not None and until is not None and int(until) <= self.since

    def _is_cut(self, files: Iterable[Path]) -> bool:
        """Whether compacted files have units on both sides of `since`."""
        if self.since is None:
            return False
        units = [units_in(self._head(file)) for file in files]
        starts = [start_of(unit) for names in units if len(names) > 1 for unit in names]
        return any(start is not None and start < self.since for start in starts)

    def _is_passed(self, file: Path, table: Table) -> bool:
        """Whether the live job of a dataset will not write the units of a file any more.

        Late revisions fall due at a time that no footer has, so a live job keeps them.
        """
        if table.properties.get(KIND, BOUNDED) != LIVE:
            return True
        head = self._head(file)
        owner = table.properties.get(OWNER, "")
        marks = [
            (table.mark(f"{owner}//{shard}"), revision)
            for _, shard, revision, *_ in (unit.split(".") for unit in units_in(head))
        ]
        until = int(head.get("tocsin.until", 0))
        return all(
            mark is not None and until <= mark and revision == "r0" for mark, revision in marks
        )

    def _was_read(self, head: Head, *, replaced: bool) -> bool:
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

    def _linked(self, file: LiveFile) -> NewFile:
        """A file of the backfill, in the folder of the dataset under a name of its own."""
        if file.path not in self._links:
            self._links[file.path] = link_file(str(self.staged), file.path, str(self.dataset))
        return self._links[file.path]

    def _new_columns(self, table: Table) -> list[pa.Field]:
        assert self._source is not None
        try:
            return new_columns(table.schema, self._source.schema, self.dataset.name)
        except ValueError as error:
            raise Failure(str(error)) from None

    def _ends(self, adds: list[LiveFile], table: Table) -> dict[str, int]:
        """Marks that the backfill has ended, so that no further run removes its files."""
        assert self._source is not None or not adds
        owner = table.properties.get(OWNER, "")
        found = {}
        for file in adds:
            head = self._head(self.staged / file.path)
            run = head.get("tocsin.run", "")
            for unit in units_in(head) if run else []:
                found[f"{owner}/{run}/{unit.split('.')[1]}/end"] = 1
        return {name: number for name, number in found.items() if table.mark(name) is None}
