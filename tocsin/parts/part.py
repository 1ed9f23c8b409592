"""The base of all parts, and the types of their parameters."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
)

from tocsin.foundation.faults import Collector, Fault, Faults
from tocsin.kernels.batch import user_columns
from tocsin.kernels.expressions.typing import suggestion, unknown_column


def need_columns(names: list[str], schema: Any, key: str) -> None:
    """Check that the schema has the columns.

    Args:
        names: columns that the configuration lists under `key`.
        schema: schema of the input.
        key: field of the configuration, for the error.

    Raises:
        Faults: one for each name that is not a user's column of the schema.
    """
    known = user_columns(schema)
    collector = Collector()
    for at, name in enumerate(names):
        with collector:
            if name not in known:
                raise Fault(unknown_column(name, schema), key, at)
    collector.done()


def configuration_faults(
    name: str, part: type[BaseModel], error: ValidationError, path: tuple[str | int, ...]
) -> Faults:
    """The errors of a part's configuration inside a step, as faults with sentences.

    Args:
        name: name of the part in the job.
        part: class of the part.
        error: error of its validation.
        path: where in the step's configuration the part's configuration is.
    """
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
            reason = problem["msg"].removeprefix("Value error, ")
            text = f"'{name}': {'.'.join(where)}{': ' if where else ''}{reason}"
        faults.append(Fault(text, *path, *problem["loc"]))
    return Faults(faults)


class AccumulatorField:
    """One accumulator that an aggregation declares.

    Attributes:
        kind: which accumulator, a key of `ACCUMULATORS`.
        transform: called with the aggregation and its column; gives the column to accumulate.
            None accumulates the column itself.
    """

    def __init__(self, kind: str, transform: Callable[[Any, Any], Any] | None) -> None:
        self.kind = kind
        self.transform = transform


class Part(BaseModel):
    """The base class of all parts. Parameters are fields that `Param` declares.

    The first line of a part's docstring says what the part gives.

    Attributes:
        examples: tuples of (configuration, input, expected output), documentation and tests.
        in_a_job: `input` and `config` of a step that shows the part, if the examples of its
            required parameters are not enough.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        ignored_types=(AccumulatorField,),
        arbitrary_types_allowed=True,
        protected_namespaces=(),
    )
    examples: ClassVar[list[Any]] = []
    in_a_job: ClassVar[dict[str, Any]] = {}

    @classmethod
    def part_name(cls) -> str:
        """The part's name in a job: the class name in snake case."""
        return snake_case(cls.__name__)


def snake_case(name: str) -> str:
    """The snake case of a name in camel case: `FlatLine` becomes `flat_line`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def Param(default: Any = ..., *, help: str, **bounds: Any) -> Any:  # noqa: N802, A002 - reads as a declaration
    """A parameter of a part, as the default of a class attribute.

    Args:
        default: the default value; without one the parameter is required.
        help: one line, with the unit.
        bounds: arguments of pydantic's Field: ge, gt, le, lt, examples, min_length, max_length …
    """
    return Field(default, description=help, **bounds)
