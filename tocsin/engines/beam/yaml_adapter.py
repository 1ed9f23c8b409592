"""Tocsin's steps as a provider of Beam YAML.

No other module uses calls that are semi-internal to Beam YAML.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import apache_beam as beam
import yaml
from apache_beam.yaml import yaml_provider, yaml_transform

from tocsin.compiler.lower import OURS
from tocsin.engines.beam.io.batch_coder import schema_of
from tocsin.engines.beam.io.row_conversion import ToBatches, ToRows
from tocsin.engines.beam.io.source_dofn import Read
from tocsin.engines.beam.operators.stateful_transform import Stateful
from tocsin.engines.beam.operators.stateless_dofn import Apply, Write
from tocsin.engines.beam.operators.union import Unite
from tocsin.foundation.failure import Failure, Mistake
from tocsin.parts.registry import Location, load
from tocsin.parts.sink import Sink
from tocsin.parts.source import Source
from tocsin.parts.stateful_step import StatefulStep
from tocsin.steps.catalogue import step_types
from tocsin.steps.write_files.file_operator import FileOperator

# Keys that lowering a job adds to the configuration of a step.
STEP_NAME, RULE, FOLDERS, LIVE = "tocsin_step", "tocsin_rule", "tocsin_folders", "tocsin_live"
SANDBOXED = "tocsin_sandboxed"
# Part of the names of transforms, by which Flink finds the state of a job: do not change it.
STATEFUL = "Keyed"


class Outputs(dict[str, Any]):
    """The outputs of a step: the mapping shows the main one, and returns any other by name.

    Beam YAML takes `input: Step` only from a step with one output.
    """

    def __init__(self, outputs: dict[str, Any], aliases: dict[str, str]) -> None:
        main = {"output": outputs["output"]} if "output" in outputs else {}
        super().__init__(main)
        self.others = {name: value for name, value in outputs.items() if name != "output"}
        self.others |= {alias: outputs[name] for alias, name in aliases.items() if name in outputs}

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self.others

    def __missing__(self, name: str) -> Any:
        return self.others[name]


class _Step(beam.PTransform):  # type: ignore[misc]
    """One step of a job: makes its part from the configuration and applies it."""

    def __init__(
        self,
        name: str,
        location: Location,
        config: dict[str, Any],
    ) -> None:
        super().__init__()
        self._config = dict(config)
        self.step = self._config.pop(STEP_NAME, None) or f"{name}-{_digest(config)}"
        self.rule = self._config.pop(RULE, "")
        self.live = self._config.pop(LIVE, False)
        folders = self._config.pop(FOLDERS, None) or default_folders()
        errors = self._config.pop("error_handling", None)
        self._aliases = {errors["output"]: "rejects"} if errors else {}
        # The parts that run are new ones: they must keep to the sandbox that the check had.
        context = {"folders": folders, "sandboxed": self._config.pop(SANDBOXED, False)}
        self._part = load(location).model_validate(self._config, context=context)

    def expand(self, collection: Any) -> Any:
        """The step's outputs."""
        part = self._part
        if isinstance(part, Source):
            outputs = collection | self.step >> Read(part, self.step, self.live)
            return Outputs(outputs, self._aliases)
        schema = schema_of(collection)
        if isinstance(part, Sink):
            part.check_schema(schema)
            part.set_step_name(self.rule or self.step)
            part.set_run("" if self.live else uuid4().hex[:16])
            if part.file_span() is None:
                collection | Write(part, self.step)
                return Outputs({}, {})
            files = Stateful(FileOperator(part, schema), self.step, part)
            return Outputs(collection | STATEFUL >> files, self._aliases)
        if isinstance(part, StatefulStep):
            operator = part.operator(schema, self.rule)
            stateful = STATEFUL >> Stateful(operator, self.step)
            return Outputs(collection | stateful, self._aliases)
        return Outputs(collection | Apply(part, self.step), self._aliases)


def _digest(config: dict[str, Any]) -> str:
    """Distinguishes steps of one type if Beam's own program runs a job: they have no names then."""
    return hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode()).hexdigest()[:6]


def default_folders() -> list[str]:
    """Where the files of a job are searched for if Beam's own program runs it."""
    return [part for part in os.environ.get("TOCSIN_FOLDERS", "").split(os.pathsep) if part] + [
        str(Path.cwd())
    ]


def _factory(name: str, location: Location) -> Callable[..., Any]:
    def factory(**config: Any) -> Any:
        return _Step(name, location, config)

    factory.__doc__ = f"{name} of Tocsin; see `tocsin explain {name}`."
    return factory


def factories() -> dict[str, Callable[..., Any]]:
    """Constructors of all steps, by type."""
    found = {name: _factory(name, location) for name, location in step_types().items()}
    return {**found, "ToRows": ToRows, "ToBatches": ToBatches}


def step_of(type: str, config: dict[str, Any]) -> Any:  # noqa: A002 - the name that a job gives
    """One step by type. Raises Mistake for a transform of Beam's own."""
    known = factories()
    if type not in known:
        raise Mistake(f"tests cannot run {type}: it is a transform of Beam")
    return known[type](**config)


class TocsinProvider(yaml_provider.InlineProvider):  # type: ignore[misc]
    """Provides all steps; sources need no input."""

    def __init__(self) -> None:
        sources = [name for name, location in step_types().items() if location.folder == "read"]
        rows = {"ToRows": ToRows, "ToBatches": ToBatches}
        ours = {
            f"{OURS}{name}": factory for name, factory in factories().items() if name not in rows
        }
        super().__init__(
            {**ours, **rows, f"{OURS}Unite": Unite},
            no_input_transforms=[f"{OURS}{name}" for name in sources],
        )


def expand(pipeline: Any, specification: dict[str, Any]) -> Any:
    """Apply a lowered job to a pipeline.

    Raises Mistake where Beam YAML refuses a step of its own, which the checker does not know, and
    the Failure of a part of ours, such as a broker that does not answer.
    """
    provider = TocsinProvider()
    providers = {name: [provider] for name in provider.provided_transforms()}
    # Beam YAML marks what it loads from text, and relies on the marks.
    text = yaml.safe_dump(specification, sort_keys=False)
    try:
        return yaml_transform.expand_pipeline(pipeline, text, providers, validate_schema=None)
    except ValueError as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, Failure):
            cause = cause.__cause__ or cause.__context__
        raise cause or Mistake(f"Beam refuses a step: {error}") from error
