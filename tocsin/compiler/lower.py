"""A checked job as the Beam YAML that is expanded, with names for all inputs and steps."""

from __future__ import annotations

from typing import Any

from tocsin.compiler.job import Job, Step
from tocsin.parts.sink import Sink
from tocsin.parts.stateful_step import StatefulStep

INPUTS = " (inputs)"
"""End of the name of the step that unites several inputs."""
OURS = "Tocsin:"
"""Prefix of the types of Tocsin's steps in a lowered job."""


def lower(job: Job, *, live: bool = False) -> dict[str, Any]:
    """The pipeline as a composite."""
    transforms = [lowered for step in job.steps for lowered in _lowered(job, step, live)]
    return {
        "pipeline": {"type": "composite", "transforms": transforms},
        **({"providers": job.providers} if job.providers else {}),
    }


def configuration(job: Job, step: Step) -> dict[str, Any]:
    """The configuration of a step, with what it takes from the rest of the job."""
    config = {name: value for name, value in step.config.items() if name != "error_handling"}
    if isinstance(step.part, StatefulStep):
        config |= step.part.completed(_datasets_of(job, step))
    return config


def _lowered(job: Job, step: Step, live: bool) -> list[dict[str, Any]]:
    config = configuration(job, step)
    if step.part is not None:
        config["tocsin_step"] = step.name
        config["tocsin_rule"] = f"{job.name}/{step.name}"
        config["tocsin_folders"] = job.folders
        if not job.trusted:
            config["tocsin_sandboxed"] = True
        if live and (step.is_source or isinstance(step.part, Sink)):
            config["tocsin_live"] = True
    # Without a prefix, Beam YAML would take a `Filter` for its own.
    kind = step.type if step.part is None else f"{OURS}{step.type}"
    lowered: dict[str, Any] = {"type": kind, "name": step.name, "config": config}
    sources = step.sources()
    texts = [name if output == "output" else f"{name}.{output}" for _, (name, output) in sources]
    if not step.is_united:
        return [{**lowered, "input": texts[0]} if texts else lowered]
    united = f"{step.name}{INPUTS}"
    together = {
        "type": f"{OURS}Unite",
        "name": united,
        "input": {str(at): text for at, text in enumerate(texts)},
        "config": {"sides": [side for side, _ in sources]},
    }
    return [together, {**lowered, "input": united}]


def _datasets_of(job: Job, step: Step) -> list[str]:
    """The lake datasets that the input of a step is written to as well."""
    return [
        str(one.config["dataset"])
        for one in job.steps
        if one.type == "WriteToLake" and one.inputs == step.inputs
    ]


def sinks(job: Job) -> list[tuple[str, Sink]]:
    """The sinks of a job, by step."""
    return [(step.name, step.part) for step in job.steps if isinstance(step.part, Sink)]
