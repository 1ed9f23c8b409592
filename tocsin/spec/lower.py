"""A checked job as the Beam YAML that is expanded: every input by name, every step with its name."""

from __future__ import annotations

from typing import Any

from tocsin.parts.detect import Detect
from tocsin.parts.sink import Sink
from tocsin.spec.job import Job, Step

OURS = "Tocsin:"
"""What the types of our own steps begin with in a lowered job."""


def lower(job: Job, *, live: bool = False) -> dict[str, Any]:
    """The pipeline as a composite."""
    return {
        "pipeline": {"type": "composite", "transforms": [_lowered(job, step, live) for step in job.steps]},
        **({"providers": job.providers} if job.providers else {}),
    }


def _lowered(job: Job, step: Step, live: bool) -> dict[str, Any]:
    config = dict(step.config)
    if step.part is not None:
        config["tocsin_step"] = step.name
        config["tocsin_rule"] = f"{job.name}/{step.name}"
        config["tocsin_folders"] = job.folders
        if live and step.is_source:
            config["tocsin_live"] = True
    if isinstance(step.part, Detect) and not step.part.lake:
        config["lake"] = _dataset_of(job, step)
    # Under its own name, Beam YAML would read the configuration of a `Filter` as that of its own.
    kind = step.type if step.part is None else f"{OURS}{step.type}"
    lowered: dict[str, Any] = {"type": kind, "name": step.name, "config": config}
    config.pop("error_handling", None)
    if step.input is not None:
        name, output = step.input
        lowered["input"] = name if output == "output" else f"{name}.{output}"
    return lowered


def _dataset_of(job: Job, step: Step) -> str:
    """The lake dataset that the input of a step is written to as well, or nothing."""
    beside = [one for one in job.steps if one.type == "WriteToLake" and one.input == step.input]
    return str(beside[0].config["dataset"]) if beside else ""


def sinks(job: Job) -> list[tuple[str, Sink]]:
    """The sinks of a job, by step."""
    return [(step.name, step.part) for step in job.steps if isinstance(step.part, Sink)]
