"""The Parquet lake."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import fs, parquet
from pydantic import PrivateAttr, ValidationInfo, model_validator

from tocsin.api.sink import (
    EVENT_TIME,
    WATERMARK,
    Duration,
    Failure,
    Fault,
    Param,
    Sink,
    check_lake,
    check_lake_folder,
    failpoint,
    format_duration,
    format_timestamp,
    group_ids,
    micros,
    need_columns,
    notes_footer,
    notes_of,
    offsets_of,
    path_part,
    readable_folders,
    suggestion,
    traits,
    user_columns,
    with_notes,
    with_points,
)

# Without separators of folders, `=`, `%` and control characters; no dots, which lead upwards.
_FOLDER_NAME = re.compile(r"[\w -]{1,100}")
_TIME_PARTS = {"date": "%Y-%m-%d", "hour": "%H", "month": "%Y-%m", "year": "%Y"}


class WriteToLake(Sink):
    """Writes Parquet files named by what they hold, so a retry replaces a file by the same rows.

    Folders are Hive partitions: `date` and `hour` of the event time (UTC) and columns, whose values
    are encoded. A file is written under a temporary name and moved into place. Rows are sorted; the
    footer has the offsets of the topic that they come from. The metadata of each column has its
    `unit` and `description`, where they are known. For each window and key, use the highest
    revision.
    """

    lake: str = Param(
        help="folder or URI of the lake, such as /data/lake or s3://bucket/lake", examples=["lake"]
    )
    dataset: str = Param(
        help="name of the table: the folder under the lake",
        pattern=r"^[a-z][a-z0-9_]*$",
        examples=["air_quality"],
        max_length=100,
    )
    span: Duration = Param("15 min", help="event time in one file", validate_default=True)
    partition_by: list[str] = Param(["date"], help="date, hour, month, year, or columns")
    geometry: list[str] | None = Param(
        None,
        help="columns of latitude and longitude: files are GeoParquet with points",
        min_length=2,
        max_length=2,
    )
    retention: Duration | None = Param(
        None, help="how long rows are kept: `tocsin lake FOLDER retain` deletes older files"
    )
    by_arrival: bool = Param(
        False,
        help="files span the watermark at arrival: no reading is late, "
        "and all can be read in their order",
    )
    shards: int = Param(
        1,
        help="number of files of one span: the most that can be written in parallel",
        ge=1,
        le=256,
    )

    # The sandbox of an untrusted job: it judges each folder again when a file is written.
    _places: tuple[str, ...] | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _is_allowed(self, info: ValidationInfo) -> WriteToLake:
        check_lake(self.lake, info.context)
        self._places = readable_folders(info.context)
        return self

    def __getstate__(self) -> dict[Any, Any]:
        """The step with an absolute path, because workers run in another folder."""
        state = super().__getstate__()
        lake = self.lake if "://" in self.lake else str(Path(self.lake).absolute())
        return {**state, "__dict__": {**state["__dict__"], "lake": lake}}

    @classmethod
    def sample(cls, folder: str) -> WriteToLake:
        """A lake in a folder, for the laws."""
        return cls(lake=folder, dataset="sample")

    def file_span(self) -> int | None:
        return self.span

    def is_by_arrival(self) -> bool:
        return self.by_arrival

    def unit_shards(self) -> int:
        return self.shards

    def check_schema(self, schema: pa.Schema) -> None:
        if self.span < 1_000_000 or self.span % 1_000_000:
            raise Fault("a file spans whole seconds, at least one", "span")
        names = user_columns(schema)
        if self.geometry is not None:
            need_columns(self.geometry, schema, "geometry")
            if "geometry" in names:
                raise Fault("its input has a column 'geometry' already", "geometry")
        for at, name in enumerate(self.partition_by):
            own = next((one for one in names if one.lower() == name), None)
            if name in _TIME_PARTS and own is not None:
                raise Fault(
                    f"its input has a column '{own}', and readers would see the {name} of the "
                    f"folder in its place; give it another name in the schema, or "
                    f"partition by {self._free_parts(names)}",
                    "partition_by",
                    at,
                )
            if name not in _TIME_PARTS and name not in names:
                raise Fault(
                    f"no column '{name}' in its input{suggestion(name, [*names, *_TIME_PARTS])}"
                    f" (columns: {', '.join(names)}; "
                    f"from the event time: {', '.join(_TIME_PARTS)})",
                    "partition_by",
                    at,
                )

            if name not in _TIME_PARTS and not _FOLDER_NAME.fullmatch(name):
                raise Fault(
                    f"'{name}' would be part of a folder's name, and may have letters, digits, "
                    "blanks, '_' and '-'; give it another name in the schema or with Derive",
                    "partition_by",
                    at,
                )

    def _free_parts(self, names: list[str]) -> str:
        """The time parts that no column hides, for a suggestion."""
        taken = {name.lower() for name in names} | set(self.partition_by)
        free = [name for name in _TIME_PARTS if name not in taken]
        return " or ".join(f"'{name}'" for name in free) or "a column"

    def check_target(self) -> None:
        try:
            files, root = self._store()
            probe = f"{root}/{self.dataset}/.probe"
            self._check_folder(files, f"{root}/{self.dataset}")
            files.create_dir(f"{root}/{self.dataset}", recursive=True)
            with files.open_output_stream(probe) as stream:
                stream.write(b"tocsin")
            files.delete_file(probe)
        except (OSError, NotImplementedError, pa.ArrowException) as error:
            raise self._unwritable(error) from None

    def _store(self) -> tuple[Any, str]:
        """The file system and the path in it: local, from pyarrow, or from fsspec."""
        if "://" not in self.lake:
            return fs.LocalFileSystem(), self.lake.rstrip("/") or "/"
        try:
            files, path = fs.FileSystem.from_uri(self.lake)
            return files, path.rstrip("/")
        except pa.ArrowInvalid:
            pass
        try:
            import fsspec

            store, path = fsspec.core.url_to_fs(self.lake)
        except (ImportError, ValueError) as error:
            raise Failure(f"no file system for the lake {self.lake}: {error}") from None
        return fs.PyFileSystem(fs.FSSpecHandler(store)), path.rstrip("/")

    def _check_folder(self, files: Any, folder: str) -> None:
        if not isinstance(files, fs.LocalFileSystem):
            return
        try:
            check_lake_folder(folder, self._places)
        except ValueError as error:
            raise Failure(str(error)) from None

    def _unwritable(self, error: Exception) -> Failure:
        reason = getattr(error, "strerror", None) or str(error) or "it takes no files"
        return Failure(f"cannot write the lake {self.lake}: {reason}")

    def write(self, batch: pa.RecordBatch, unit: str) -> None:
        start, _, rest = unit.partition(".")
        span = format_duration(self.span).replace(" ", "")
        name = f"{format_timestamp(int(start))}-{span}-{rest.replace('.', '-')}.parquet"
        offsets = offsets_of(batch)
        metadata = {
            "tocsin.offsets": json.dumps({traits(batch.schema).topic: offsets}, sort_keys=True),
            "tocsin.unit": unit,
            "tocsin.until": str(int(start) + self.span),
            **notes_footer(notes_of(batch.schema)),
            "tocsin.partitions": json.dumps(
                {
                    name: str(batch.schema.field(name).type)
                    for name in self.partition_by
                    if name not in _TIME_PARTS
                }
            ),
            "tocsin.keys": json.dumps(
                ["window_start", *traits(batch.schema).keys]
                if traits(batch.schema).aggregated
                else []
            ),
        }
        if self.retention is not None:
            metadata["tocsin.retention"] = str(self.retention)
        folders = self._folders(batch)
        ids, first = group_ids([pa.array(folders)])
        for number, row in enumerate(first.tolist()):
            here = batch if len(first) == 1 else batch.filter(pa.array(ids == number))
            self._write_file(self._stored(here), folders[row], name, metadata)

    def _folders(self, batch: pa.RecordBatch) -> list[str]:
        """The folder of each row. Text is made once for each distinct value."""
        whole = np.zeros(batch.num_rows, np.int64)
        texts = [""]
        for part in self.partition_by:
            if part in _TIME_PARTS:
                hours = micros(batch.column(EVENT_TIME)) // 3_600_000_000
                column = pa.array(hours)
            else:
                column = batch.column(part)
            encoded = column.dictionary_encode(null_encoding="encode")
            names = [self._part(part, value) for value in encoded.dictionary.to_pylist()]
            codes = encoded.indices.to_numpy().astype(np.int64)
            ids, first = group_ids([whole, codes])
            texts = [f"{texts[whole[row]]}/{names[codes[row]]}" for row in first.tolist()]
            whole = ids
        return [texts[number] for number in whole.tolist()]

    @staticmethod
    def _part(part: str, value: Any) -> str:
        if part in _TIME_PARTS:
            seconds = min(max(int(value) * 3600, -62_135_596_800), 253_402_300_799)
            return f"{part}={datetime.fromtimestamp(seconds, UTC).strftime(_TIME_PARTS[part])}"
        return f"{part}={path_part(value)}"

    def _stored(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The columns of a file: aggregates have no system columns, readings time and offset."""
        left_out = {WATERMARK, *(name for name in self.partition_by if name not in _TIME_PARTS)}
        if traits(batch.schema).aggregated or "alarm_id" in batch.schema.names:
            left_out |= set(batch.schema.names) - set(user_columns(batch.schema))
        return batch.select([name for name in batch.schema.names if name not in left_out])

    def _write_file(
        self, batch: pa.RecordBatch, folder: str, name: str, metadata: dict[str, str]
    ) -> None:
        files, root = self._store()
        path = f"{root}/{self.dataset}{folder}"
        is_local = isinstance(files, fs.LocalFileSystem)
        self._check_folder(files, path)
        # On object stores an object appears when it is complete; on a disk a file grows, so it is
        # moved into place.
        target = f"{path}/{name}"
        temporary = f"{path}/.{name}.{_token()}.part" if is_local else target
        table = pa.Table.from_batches([batch]).replace_schema_metadata(metadata)
        table = with_notes(table, notes_of(batch.schema))
        if self.geometry is not None:
            table = with_points(table, *self.geometry)
        try:
            failpoint("lake.begin")
            files.create_dir(path, recursive=True)
            try:
                parquet.write_table(
                    table,
                    temporary,
                    filesystem=files,
                    compression="zstd",
                    row_group_size=256 * 1024,
                )
                failpoint("lake.written")
                if is_local:
                    files.move(temporary, target)
                failpoint("lake.moved")
            except OSError:
                if is_local and files.get_file_info(temporary).type != fs.FileType.NotFound:
                    files.delete_file(temporary)
                raise
        except OSError as error:
            raise self._unwritable(error) from None


def _token() -> str:
    import os
    import secrets

    return f"{os.getpid()}-{secrets.token_hex(4)}"
