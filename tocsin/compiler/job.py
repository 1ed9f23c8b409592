"""A checked job."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from tocsin.parts.part import Part


@dataclass(frozen=True)
class Step:
    """One step: its place in the file, its part, its inputs, and the schemas of its outputs.

    part: None for a stock Beam transform. inputs: (step name, output name) of each input, by the
    input's name, which is '' for one without a name; empty for a source. schema: of all inputs
    together. outputs: Arrow schemas by output name; None if they are known only when Beam expands
    the step. aliases: other names of outputs.
    """

    name: str
    type: str
    path: tuple[str | int, ...]
    config: dict[str, Any]
    part: Part | None
    inputs: dict[str, list[tuple[str, str]]]
    schema: pa.Schema | None
    outputs: dict[str, pa.Schema | None] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)

    @property
    def is_source(self) -> bool:
        """Whether it reads from outside."""
        return not self.inputs

    @property
    def is_united(self) -> bool:
        """Whether its inputs have to be united first."""
        return bool(self.inputs) and [name for name, _ in self.sources()] != [""]

    def sources(self) -> list[tuple[str, tuple[str, str]]]:
        """Every input: its name, and the step and output that it reads."""
        return [(name, one) for name, ones in self.inputs.items() for one in ones]


@dataclass(frozen=True)
class Job:
    """A checked job. folders: where its files are searched for."""

    name: str
    file: str
    steps: list[Step]
    options: dict[str, Any]
    tests: list[dict[str, Any]]
    folders: list[str]
    trusted: bool = False
    providers: list[Any] = field(default_factory=list)

    def step(self, name: str) -> Step:
        """The step of that name."""
        return next(step for step in self.steps if step.name == name)

    def counted(self) -> list[str]:
        """The names of the steps in the ledger: stock Beam transforms count nothing."""
        return [step.name for step in self.steps if step.part is not None]
