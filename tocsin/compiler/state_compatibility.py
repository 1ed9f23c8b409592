"""What a job keeps between readings, described, so that a change that would lose it is seen before it is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from tocsin.compiler.job import Job, Step
from tocsin.parts.detector import width_of
from tocsin.parts.sink import Sink
from tocsin.parts.source import Source
from tocsin.steps.aggregate.step import Aggregate
from tocsin.steps.aggregate.window_operator import WindowOperator
from tocsin.steps.deduplicate.step import Deduplicate, DeduplicationOperator
from tocsin.steps.detect.scoring_operator import ScoringOperator
from tocsin.steps.detect.step import Detect
from tocsin.steps.lookup.step import Lookup
from tocsin.steps.manage_alarms.step import ManageAlarms
from tocsin.steps.ordered.ordered_step import Sequence
from tocsin.steps.window_join.step import WindowJoin
from tocsin.steps.write_files.file_operator import Units

# What the state of a step is, for a sentence about its loss.
_KEEPS = {
    "Aggregate": "its open windows",
    "Detect": "what its detector has learnt, and its open alarms",
    "Deduplicate": "the readings that it remembers",
    "Lookup": "the registry",
    "Shift": "the rows before those to come",
    "QualityControl": "the readings that those to come are compared with",
}


@dataclass(frozen=True)
class Change:
    """One change between two versions of a job. loses: whether a savepoint of the first cannot serve the second."""

    step: str
    sentence: str
    loses: bool


def state_of(job: Job) -> dict[str, dict[str, Any]]:
    """What the state of each step depends on, by step name, as JSON."""
    found = {}
    for step in job.steps:
        described = _described(step)
        if described is not None:
            found[step.name] = {"type": step.type, **described}
    return found


def _described(step: Step) -> dict[str, Any] | None:
    part = step.part
    if isinstance(part, Source):
        return {"topic": part.topic_name()}
    schema = step.schema
    if schema is None:
        return None
    if isinstance(part, Aggregate):
        windower = WindowOperator(part, schema)
        windows = {name: _of_window(value) for name, value in vars(windower.windows).items()}
        gaps = {} if part.fill_gaps is None else {"fill_gaps": True}
        return {
            "by": part.by,
            "windows": windows,
            "shards": part.shards,
            "columns": _columns(windower.shard_schema),
            **gaps,
        }
    if isinstance(part, Detect):
        watcher = ScoringOperator(part, schema)
        return {
            "of": part.of, "by": part.by, "detector": watcher.detector_name, "numbers": width_of(watcher.detector),
            "shards": part.shards, "columns": _columns(schema), **({"revise": True} if part.revise else {}),
        }  # fmt: skip
    if isinstance(part, WindowJoin | Lookup):
        return {"by": part.by, "shards": part.shards, "columns": _columns(schema)}
    if isinstance(part, Sequence):
        return {"by": part.by, "shards": part.shards, "columns": _columns(schema)}
    if isinstance(part, ManageAlarms):
        return {"inhibit": part.inhibit is not None, "commands": "commands" in step.inputs}
    if isinstance(part, Deduplicate):
        return {"by": part.by, "shards": DeduplicationOperator(part, schema).shards}
    if isinstance(part, Sink) and part.file_span() is not None:
        units = Units(part, schema)
        return {"span": units.span, "shards": units.shards, "columns": _columns(schema)}
    return None


def _of_window(value: Any) -> str:
    """A length in seconds, as people read it."""
    return (
        f"{value / 1_000_000:g} s"
        if isinstance(value, int) and not isinstance(value, bool)
        else str(value)
    )


def _columns(schema: pa.Schema) -> dict[str, str]:
    return {field.name: str(field.type) for field in schema}


def changes(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> list[Change]:
    """What a change of a job does to its state: step names are the state's identity."""
    found = []
    for name, old in before.items():
        new = after.get(name)
        keeps = _KEEPS.get(
            old["type"],
            "its position" if "topic" in old else "the rows that it has not written yet",
        )
        if new is None:
            found.append(Change(name, f"is gone or has another name: {keeps} would be lost", True))
        elif new["type"] != old["type"]:
            found.append(
                Change(
                    name, f"was a {old['type']} and is a {new['type']}: {keeps} would be lost", True
                )
            )
        else:
            differences = [
                text
                for key in old
                if key != "type"
                for text in _difference(key, old[key], new.get(key))
            ]
            if differences:
                found.append(Change(name, f"{'; '.join(differences)}: {keeps} would be lost", True))
    found += [
        Change(name, "is new and starts empty", False) for name in after if name not in before
    ]
    return found


def _difference(key: str, old: Any, new: Any) -> list[str]:
    if old == new:
        return []
    if isinstance(old, dict) and isinstance(new, dict):
        names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
        return [
            f"{key.rstrip('s')} '{name}' was {old.get(name, 'absent')} and is {new.get(name, 'absent')}"
            for name in names
        ]
    return [f"`{key}` was {_text(old)} and is {_text(new)}"]


def _text(value: Any) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)
