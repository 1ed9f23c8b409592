"""The base of all parts, and the types of their parameters."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
)

from tocsin.columns.contract import user_columns
from tocsin.columns.expressions.typing import suggestion, unknown_column
from tocsin.columns.quantities import format_duration, parse_duration
from tocsin.parts.fence import check_file, check_hosts


class Fault(ValueError):
    """A mistake in a part's configuration that shows against its input.

    path: where in the configuration, as keys and positions. at: position within that text, if it is an expression.
    """

    def __init__(self, message: str, *path: str | int, at: int | None = None) -> None:
        super().__init__(message)
        self.path = path
        self.at = at


class Faults(ValueError):
    """Several mistakes in one configuration."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(str(fault) for fault in faults))
        self.faults = faults


class Collector:
    """Notes the faults of a configuration one after another, so that all are told at once.

    `with collector: …` takes in a Fault that is raised inside; `done()` raises Faults if there were any.
    """

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def __enter__(self) -> Collector:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, Faults):
            self.faults += error.faults
            return True
        if isinstance(error, Fault):
            self.faults.append(error)
            return True
        return False

    def done(self) -> None:
        """Raise what was noted."""
        if self.faults:
            raise Faults(self.faults)


def need_columns(names: list[str], schema: Any, key: str) -> None:
    """Raises Faults for every one of `names`, which stand under `key`, that is not a user's column of the schema."""
    known = user_columns(schema)
    collector = Collector()
    for at, name in enumerate(names):
        with collector:
            if name not in known:
                raise Fault(unknown_column(name, schema), key, at)
    collector.done()


def configuration_faults(name: str, part: type[BaseModel], error: ValidationError, path: tuple[str | int, ...]) -> Faults:
    """What is wrong with the configuration of a part inside a step, in sentences; `path` leads to it."""
    known = [info.alias or field for field, info in part.model_fields.items()]
    faults = []
    for problem in error.errors():
        where = [str(step) for step in problem["loc"]]
        if problem["type"] == "extra_forbidden":
            listed = f"(known: {', '.join(known)})" if known else "(it has no parameters)"
            text = f"'{name}' has no '{where[0]}'{suggestion(where[0], known)} {listed}"
        elif problem["type"] == "missing":
            text = f"'{name}' needs `{'.'.join(where)}`"
        else:
            text = f"'{name}': {'.'.join(where)}{': ' if where else ''}{problem['msg'].removeprefix('Value error, ')}"
        faults.append(Fault(text, *path, *problem["loc"]))
    return Faults(faults)


class Tally:
    """A running tally of an aggregation: a kernel, and what it is given of the column."""

    def __init__(self, kernel: str, transform: Callable[[Any, Any], Any] | None) -> None:
        self.kernel = kernel
        self.transform = transform


class Part(BaseModel):
    """A part: parameters are fields with `Param`, the docstring's first line says what it gives.

    examples: tuples of (configuration, input, expected output); they are documentation and test.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", ignored_types=(Tally,), arbitrary_types_allowed=True, protected_namespaces=()
    )
    examples: ClassVar[list[Any]] = []

    @classmethod
    def part_name(cls) -> str:
        """The name in a job: the class name in snake case."""
        return snake_case(cls.__name__)


def snake_case(name: str) -> str:
    """`FlatLine` is `flat_line`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def Param(default: Any = ..., *, help: str, **bounds: Any) -> Any:  # noqa: N802, A002 - reads as a declaration
    """A parameter. help: one line with the unit. bounds: ge, gt, le, lt, examples, min_length, max_length …"""
    return Field(default, description=help, **bounds)


def _duration(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("write a duration as text with a unit, such as '30 s', '10 min' or '1 h'")
    if isinstance(value, int):
        if value == 0:
            return 0
        raise ValueError(f"a duration needs a unit, such as '{value} s'")
    return parse_duration(value)


Duration = Annotated[
    int,
    BeforeValidator(_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\s*(\d+(\.\d+)?\s*(us|ms|s|min|m|h|d|w)\s*)+$"}),
]
"""Microseconds, written as text with a unit."""


class JobFile(BaseModel):
    """A file that a job names, with its text as it was when the job was checked: workers need not have it."""

    model_config = ConfigDict(frozen=True)
    path: str
    text: str


def find_file(name: str, folders: list[str]) -> Path:
    """The file, looked for in each folder. Raises ValueError that says where it was looked for."""
    for folder in folders:
        candidate = Path(folder) / name
        if candidate.is_file():
            return candidate
    raise ValueError(f"no file '{name}' (looked in: {', '.join(dict.fromkeys(str(f) for f in folders))})")


def _found(name: str, info: ValidationInfo) -> Path:
    """A file that a job names and may read."""
    path = find_file(name, (info.context or {}).get("folders", ["."]))
    check_file(path, info.context)
    return path


def _job_file(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, str):
        return value
    path = _found(value, info)
    return JobFile(path=str(path), text=path.read_text("utf-8"))


TextFile = Annotated[
    JobFile,
    BeforeValidator(_job_file),
    PlainSerializer(lambda file: file.path, return_type=str),
    WithJsonSchema({"type": "string", "description": "path, from the job's folder or the project's"}),
]
"""A text file named by a job, read when the job is checked."""


def _data_file(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, str):
        return value
    if "://" in value:
        check_hosts(value, info.context)
        return value
    path = _found(value, info)
    return str(path.resolve())


DataFile = Annotated[str, BeforeValidator(_data_file)]
"""A data file named by a job, which workers open themselves."""
