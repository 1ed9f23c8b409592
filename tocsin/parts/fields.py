"""Types of parameters: durations with a unit, and files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
)

from tocsin.foundation.sandbox import (
    JudgedPath,
    check_readable,
    judge_store,
    judged_place,
    pinned,
    readable_folders,
)
from tocsin.kernels.time.durations import format_duration, parse_duration


def _duration(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(  # noqa: TRY004 - pydantic reports ValueError, and not TypeError
            "write a duration as text with a unit, such as '30 s', '10 min' or '1 h'"
        )
    if isinstance(value, int):
        if value == 0:
            return 0
        raise ValueError(f"a duration needs a unit, such as '{value} s'")
    return parse_duration(value)


# The most bytes of a schema in a job that is not trusted.
_LONGEST_TEXT = 1 << 20

Duration = Annotated[
    int,
    BeforeValidator(_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(
        {"type": "string", "pattern": r"^\s*(\d+(\.\d+)?\s*(us|ms|s|min|m|h|d|w)\s*)+$"}
    ),
]
"""Microseconds, written as text with a unit."""


def _store(value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
    judge_store(value, info.context)
    return value


StoreSettings = Annotated[dict[str, str | int | bool], AfterValidator(_store)]
"""The connection to an object store, by the name of the setting; empty for the machine's own."""


class JobFile(BaseModel):
    """A file that a job names, with its text at the time of the check.

    Workers do not need the file.
    """

    model_config = ConfigDict(frozen=True)
    path: str
    text: str


def find_file(name: str, folders: list[str]) -> Path:
    """The first file of that name in the folders.

    Raises:
        ValueError: if no folder has the file. The text lists the folders.
    """
    for folder in folders:
        candidate = Path(folder) / name
        if candidate.is_file():
            return candidate
    raise ValueError(
        f"no file '{name}' (looked in: {', '.join(dict.fromkeys(str(f) for f in folders))})"
    )


def _found(name: str, info: ValidationInfo) -> str:
    """The path of a file that a job names, after the sandbox's check."""
    path = find_file(name, (info.context or {}).get("folders", ["."]))
    folders = readable_folders(info.context)
    check_readable(path, folders)
    return str(path) if folders is None else JudgedPath.of(str(path), folders)


def _job_file(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, str):
        return value
    path = _found(value, info)
    try:
        with pinned(path, most=_LONGEST_TEXT) as opened:
            return JobFile(path=str(path), text=Path(opened).read_text("utf-8"))
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from None


TextFile = Annotated[
    JobFile,
    BeforeValidator(_job_file),
    PlainSerializer(lambda file: file.path, return_type=str),
    WithJsonSchema(
        {"type": "string", "description": "path, from the job's folder or the project's"}
    ),
]
"""A text file that a job names. The check of the job reads it."""


def _data_file(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, str):
        return value
    if "://" in value:
        value = judged_place(value, info.context, "file")
    return value if "://" in value else str(Path(_found(value, info)).resolve())


def _kept(value: str, info: ValidationInfo) -> str:
    """The path with the folders in which it must still be when it is opened."""
    folders = readable_folders(info.context)
    return value if folders is None or "://" in value else JudgedPath.of(value, folders)


DataFile = Annotated[str, BeforeValidator(_data_file), AfterValidator(_kept)]
"""A data file or URI that a job names. Workers open it, under the path that `pinned` gives."""
