"""The commits after a version: their marks, columns and properties, read from their files.

A commit then costs as much after a year as on the first day. The library reads the log from its
last checkpoint each time.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import Schema

from tocsin.table import stored
from tocsin.table.log_files import LAST_CHECKPOINT, LOG_FOLDER, commit_file


class Tail:
    """What commits after a version say; `version` is the last one that was read."""

    def __init__(self, place: str, version: int) -> None:
        self._place = place
        self.version = version
        self.marks: dict[str, int] = {}
        self.schema: pa.Schema | None = None
        self.properties: dict[str, str] | None = None

    def read(self) -> bool:
        """Read the commits since; False if only the library can, which then reads all.

        Old commits may be deleted once a checkpoint has them, and the table may be another one by
        now: then no file would say that there are later versions.
        """
        if not stored.exists(commit_file(self._place, self.version)):
            return False
        while (content := self._next()) is not None:
            try:
                actions = [json.loads(line) for line in content.splitlines()]
            except ValueError:
                return False
            if not actions or not all(self._take(action) for action in actions):
                return False
            self.version += 1
        return self._checkpoint() <= self.version

    def _next(self) -> bytes | None:
        try:
            return stored.read(commit_file(self._place, self.version + 1))
        except FileNotFoundError:
            return None

    def _take(self, action: Any) -> bool:
        """Take an action; whether its meaning is known here."""
        if not isinstance(action, dict) or "protocol" in action:
            return False
        if "txn" in action:
            self.marks[action["txn"]["appId"]] = action["txn"]["version"]
        if "metaData" in action:
            about = action["metaData"]
            self.schema = pa.schema(Schema.from_json(about["schemaString"]).to_arrow())
            self.properties = dict(about["configuration"])
        return True

    def _checkpoint(self) -> int:
        """The version of the last checkpoint, or -1."""
        try:
            text = stored.read(Path(self._place) / LOG_FOLDER / LAST_CHECKPOINT)
            return int(json.loads(text)["version"])
        except FileNotFoundError:
            return -1
        except (ValueError, KeyError, TypeError):
            return self.version + 1
