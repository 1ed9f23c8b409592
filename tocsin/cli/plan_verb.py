"""`tocsin plan`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tocsin.cli.console import DONE, complain, say, show_json
from tocsin.columns.contract import user_columns
from tocsin.parts.aggregate import Aggregate
from tocsin.parts.deduplicate import Deduplicate
from tocsin.parts.detect import Detect
from tocsin.parts.detector import width_of
from tocsin.spec.check import check_file
from tocsin.spec.job import Step


def plan(job: Path, *, trusted: bool = False, json: bool = False) -> int:
    """Show what a job does: its steps, the columns on each edge, keys, shards and state.

    Parameters
    ----------
    job
        Job file.
    trusted
        Allow the job to bring code.
    json
        Print the plan as JSON.
    """
    checked, warnings = check_file(str(job), trusted=trusted)
    steps = [_described(step) for step in checked.steps]
    if json:
        show_json({"job": checked.name, "steps": steps, "warnings": [warning.as_dict() for warning in warnings]})
        return DONE
    for step in steps:
        source = f"  <- {step['input']}" if step["input"] else ""
        say(f"{step['name']} ({step['type']}){source}")
        for key in ("keys", "shards", "state", "lateness"):
            if step.get(key):
                say(f"    {key}: {step[key]}")
        for output, columns in step["outputs"].items():
            text = ", ".join(f"{name} {kind}" for name, kind in columns.items()) if columns else "known when Beam expands it"
            say(f"    -> {output}: {text}")
    for warning in warnings:
        complain(str(warning), plain=True)
    return DONE


def _described(step: Step) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": step.name,
        "type": step.type,
        "input": ".".join(step.input).removesuffix(".output") if step.input else None,
        "outputs": {
            name: {} if schema is None else {c: str(schema.field(c).type) for c in user_columns(schema)}
            for name, schema in step.outputs.items()
        },
    }
    part = step.part
    if isinstance(part, Aggregate):
        found |= {"keys": ", ".join(part.by) or "none", "shards": part.shards, "state": "partial results of open windows"}
    if isinstance(part, Detect):
        size = 8 * (width_of(part.made()) + 8)
        found |= {"keys": ", ".join(part.by), "shards": part.shards, "state": f"{size} bytes a key, and rows not yet in order"}
    if isinstance(part, Deduplicate):
        found |= {"keys": ", ".join(part.by), "shards": part.shards, "state": "16 bytes a reading remembered"}
    return found
