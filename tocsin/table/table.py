"""A Delta table as it is at one version: its columns, live files, properties and marks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable, Schema
from deltalake.exceptions import DeltaError, TableNotFoundError

from tocsin.foundation.failure import Failure
from tocsin.table import stored
from tocsin.table.log_files import LOG_FOLDER, broken_commit, newest_is_whole
from tocsin.table.tail import Tail

LOG = LOG_FOLDER
# A table whose schema or protocol this release cannot keep is refused by the library.
_Values = dict[str, str | None]
# A checkpoint may be replaced between the look at the log and the look at the checkpoint.
_LOOKS = 5


class Outdated(Failure):
    """The log of a version is gone, because rows were erased since; the newest can be read."""


@dataclass(frozen=True)
class LiveFile:
    """A data file that a version of a table holds.

    path: relative to the table. partition_values: as text, by column; None for null.
    """

    path: str
    size: int
    rows: int
    partition_values: _Values = field(default_factory=dict)


class Table:
    """A Delta table at one version. To see later commits, refresh it or open it again."""

    def __init__(self, place: str, found: DeltaTable) -> None:
        self.place = place
        self._found = found
        self._tail = Tail(place, int(found.version()))
        self._marks: dict[str, int | None] = {}

    @property
    def version(self) -> int:
        """The number of the last commit."""
        return self._tail.version

    def refresh(self) -> None:
        """Read the commits since. Raises Failure for a table that cannot be read."""
        try:
            if self._tail.read():
                return
        except OSError as error:
            raise Failure(f"the table {self.place} cannot be read: {error}") from None
        found = _load(self.place)
        if found is None:
            raise Failure(f"the table {self.place} is gone")
        self._found, self._tail, self._marks = found, Tail(self.place, int(found.version())), {}

    @property
    def schema(self) -> pa.Schema:
        """All columns, those of partitions included."""
        known = self._tail.schema
        return pa.schema(self._found.schema().to_arrow()) if known is None else known

    @property
    def partition_by(self) -> list[str]:
        """Columns whose values stand in the log, and not in the files."""
        return list(self._found.metadata().partition_columns)

    @property
    def properties(self) -> dict[str, str]:
        """The table's properties."""
        known = self._tail.properties
        return dict(self._found.metadata().configuration if known is None else known)

    def described(
        self,
        columns: Iterable[pa.Field],
        properties: Mapping[str, str],
        widened: Iterable[pa.Field] = (),
    ) -> dict[str, Any]:
        """The action that adds columns, widens others and sets properties.

        columns, widened: of types that Delta has, nullable.
        """
        self._catch_up()
        about = self._found.metadata()
        known = json.loads(self._found.schema().to_json())["fields"]
        added, wide = (
            json.loads(Schema.from_arrow(pa.schema(list(some))).to_json())["fields"]
            for some in (columns, widened)
        )
        types = {field["name"]: field["type"] for field in wide}
        known = [{**field, "type": types.get(field["name"], field["type"])} for field in known]
        named = {name: text for name in ("name", "description") if (text := getattr(about, name))}
        return {
            "metaData": {
                "id": about.id,
                **named,
                "format": {"provider": "parquet", "options": {}},
                "schemaString": json.dumps({"type": "struct", "fields": [*known, *added]}),
                "partitionColumns": list(about.partition_columns),
                "configuration": {**about.configuration, **properties},
                "createdTime": about.created_time,
            }
        }

    def mark(self, name: str) -> int | None:
        """The number that a writer of this name committed last, or None."""
        if name in self._tail.marks:
            return self._tail.marks[name]
        if name not in self._marks:
            found = self._asked(lambda library: library.transaction_version(name))
            self._marks[name] = None if found is None else int(found)
        return self._marks[name]

    def _catch_up(self) -> None:
        """Let the library read as far as the version."""
        if self._found.version() != self.version:
            stored.refresh(self.place)
            self._asked(lambda library: library.load_as_version(self.version))

    def _asked(self, question: Callable[[DeltaTable], Any]) -> Any:
        """The library's answer about the version.

        It reads checkpoints when it is asked, and others may have replaced them since.
        """
        try:
            return question(self._found)
        except (DeltaError, OSError, ValueError):
            pass
        newest = _load(self.place)
        try:
            self._found = DeltaTable(self.place, version=self.version)
            return question(self._found)
        except (DeltaError, OSError, ValueError) as error:
            kind = Failure if newest is None else Outdated
            raise kind(
                f"the table {self.place} cannot be read at version {self.version}: {_line(error)}"
            ) from None

    def files(self) -> list[LiveFile]:
        """The live files, sorted by path."""
        self._catch_up()
        actions = pa.table(self._asked(lambda library: library.get_add_actions(flatten=True)))
        prefix = "partition."
        names = [name for name in actions.column_names if name.startswith(prefix)]
        found = [
            LiveFile(
                unquote(row["path"]),
                row["size_bytes"],
                row["num_records"] or 0,
                {name.removeprefix(prefix): _text(row[name]) for name in names},
            )
            for row in actions.to_pylist()
        ]
        return sorted(found, key=lambda file: file.path)


def _load(place: str) -> DeltaTable | None:
    """The newest version as the library reads it. Raises Failure where it cannot be read."""
    for look in range(_LOOKS):
        try:
            stored.refresh(place)
            found = DeltaTable(place)
            break
        except TableNotFoundError:
            return None
        except (DeltaError, OSError, ValueError) as error:
            reason = broken_commit(place)
            if reason or look == _LOOKS - 1:
                reason = reason or _line(error)
                raise Failure(f"the table {place} cannot be read: {reason}") from None
    # The library takes an empty commit file for a commit without changes.
    if not newest_is_whole(place, int(found.version())):
        raise Failure(f"the table {place} cannot be read: {broken_commit(place)}")
    return found


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def open_table(place: str) -> Table | None:
    """The newest version of the table in a folder, or None where there is no table.

    Raises Failure for a table that cannot be read, with its reason.
    """
    found = _load(place)
    return None if found is None else Table(place, found)


def create_table(
    place: str, schema: pa.Schema, partition_by: list[str], properties: dict[str, str]
) -> Table:
    """The table in a folder, made where the folder has no table; one of several makers does.

    Args:
        place: the folder; it and its log are made.
        schema: all columns, those of partitions included.
        partition_by: columns of partitions.
        properties: of the table.

    Raises:
        Failure: if it cannot be made or read.
    """
    found = open_table(place)
    if found is not None:
        return found
    log = Path(place) / LOG
    stored.make_folder(log)
    actions: list[dict[str, Any]] = [
        {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
        {
            "metaData": {
                "id": _table_id(),
                "format": {"provider": "parquet", "options": {}},
                "schemaString": Schema.from_arrow(schema).to_json(),
                "partitionColumns": partition_by,
                "configuration": properties,
                "createdTime": _now(),
            }
        },
    ]
    stored.put_if_absent(log / f"{0:020}.json", lines(actions))
    found = open_table(place)
    if found is None:
        raise Failure(f"the table {place} is gone while it was made")
    return found


def lines(actions: list[dict[str, Any]]) -> bytes:
    """A commit: one action a line."""
    return "".join(f"{json.dumps(action, ensure_ascii=False)}\n" for action in actions).encode()


def _table_id() -> str:
    from uuid import uuid4

    return str(uuid4())


def _now() -> int:
    from time import time

    return int(time() * 1000)


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
