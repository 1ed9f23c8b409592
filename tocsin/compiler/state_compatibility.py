"""The state of a job, described: an upgrade that would lose state is refused before it starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tocsin.compiler.job import Job, Step
from tocsin.foundation.failure import UnknownPart
from tocsin.parts.registry import load
from tocsin.parts.sink import Sink
from tocsin.parts.source import Source
from tocsin.parts.stateful_step import StatefulStep, column_types
from tocsin.steps.catalogue import step_types
from tocsin.steps.write_files.file_operator import FileOperator


@dataclass(frozen=True)
class Change:
    """One change between two versions of a job.

    loses: whether a savepoint of the first cannot serve the second.
    """

    step: str
    sentence: str
    loses: bool


def state_of(job: Job) -> dict[str, dict[str, Any]]:
    """By step name: what the state of the step depends on, as JSON."""
    found = {}
    for step in job.steps:
        described = _described(step)
        if described is not None:
            found[step.name] = {"type": step.type, **described}
    return found


def _described(step: Step) -> dict[str, Any] | None:
    part, schema = step.part, step.schema
    if isinstance(part, Source):
        return {"topic": part.topic_name()}
    if schema is None:
        return None
    if isinstance(part, StatefulStep):
        return part.state_depends_on(schema)
    if isinstance(part, Sink) and part.file_span() is not None:
        files = FileOperator(part, schema)
        return {"span": files.span, "shards": files.shards, "columns": column_types(schema)}
    return None


def _kept(old: dict[str, Any]) -> str:
    """What a step of an older version of the job keeps, for a sentence about its loss."""
    if "topic" in old:
        return "its position"
    try:
        kind = load(step_types()[old["type"]])
    except (KeyError, UnknownPart, ImportError):
        return "its state"
    is_stateful = issubclass(kind, StatefulStep)
    return kind.keeps if is_stateful else "the rows that it has not written yet"


def changes(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> list[Change]:
    """How a change of a job affects its state. The name of a step identifies its state."""
    found = []
    for name, old in before.items():
        new = after.get(name)
        keeps = _kept(old)
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
            f"{key.rstrip('s')} '{name}' was {old.get(name, 'absent')} "
            f"and is {new.get(name, 'absent')}"
            for name in names
        ]
    return [f"`{key}` was {_text(old)} and is {_text(new)}"]


def _text(value: Any) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)
