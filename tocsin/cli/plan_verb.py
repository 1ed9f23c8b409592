"""`tocsin plan`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from tocsin.cli.backtest import backtest
from tocsin.cli.checking import check_job
from tocsin.cli.console import DONE, WRONG, complain, say, show_json
from tocsin.compiler.job import Job, Step
from tocsin.compiler.state_compatibility import Change, changes, state_of
from tocsin.foundation.target_change import TargetChange
from tocsin.kernels.batch import user_columns
from tocsin.parts.sink import Sink
from tocsin.parts.stateful_step import StatefulStep

RUNNING = "running"


def plan(
    job: Path,
    *,
    diff: str | None = None,
    against: str | None = None,
    plots: Path | None = None,
    flink: str | None = None,
    trusted: bool = False,
    json: bool = False,
) -> int:
    """Show what a job does: its steps, the columns on each edge, keys, shards and state.

    Parameters
    ----------
    job
        Job file.
    diff
        Show instead how a change of the job affects its state. The version before is a file,
        `running` for the one on the cluster, or the folder of a live job's checkpoints. It also
        says what happens to the table of each WriteToLake. The exit code is 2 if state would be
        lost, which `tocsin upgrade` refuses, or if a table would refuse the rows.
    against
        Show instead the alarms that the job raises on a recording: Parquet or CSV, a file or a
        folder, with the columns of the job's source. With --diff FILE, compare them with the
        alarms of the version before.
    plots
        Folder for a plot of each sensor whose alarms differ.
    flink
        URL of the JobManager, for `--diff running` [env: TOCSIN_FLINK].
    trusted
        Allow the job to bring code.
    json
        Print the plan as JSON.
    """
    checked, warnings = check_job(str(job), trusted=trusted)
    if against is not None:
        before = None if diff is None else check_job(diff, trusted=trusted)[0]
        return backtest(before, checked, against, plots, json)
    if diff is not None:
        return _difference(diff, checked, flink, trusted, json)
    steps = [_described(step) for step in checked.steps]
    if json:
        show_json(
            {
                "job": checked.name,
                "steps": steps,
                "warnings": [warning.as_dict() for warning in warnings],
            }
        )
        return DONE
    for step in steps:
        source = f"  <- {step['input']}" if step["input"] else ""
        say(f"{step['name']} ({step['type']}){source}")
        for key in ("keys", "shards", "state", "lateness"):
            if step.get(key):
                say(f"    {key}: {step[key]}")
        for output, columns in step["outputs"].items():
            text = (
                ", ".join(f"{name} {kind}" for name, kind in columns.items())
                if columns
                else "known when Beam expands it"
            )
            say(f"    -> {output}: {text}")
    for warning in warnings:
        complain(str(warning), plain=True)
    return DONE


def _difference(before: str, job: Job, flink: str | None, trusted: bool, json: bool) -> int:
    found, targets = _changes(before, job, flink, trusted), _targets(job)
    loses = any(change.loses for change in found)
    refused = any(one.is_refused for some in targets.values() for one in some)
    if json:
        shown = [{"step": name, **asdict(one)} for name, some in targets.items() for one in some]
        state_changes = [asdict(change) for change in found]
        show_json(
            {"job": job.name, "loses_state": loses, "changes": state_changes, "targets": shown}
        )
        return WRONG if loses or refused else DONE
    for change in found:
        say(f"{'loses' if change.loses else 'keeps'}  {change.step}: {change.sentence}")
    for name, some in targets.items():
        for one in some:
            say(f"{'refused' if one.is_refused else 'table'}  {name}: {one.sentence}")
    say("an upgrade would lose state, and is refused" if loses else "an upgrade keeps all state")
    if refused:
        say("a target would refuse the rows of the new version")
    return WRONG if loses or refused else DONE


def _changes(before: str, job: Job, flink: str | None, trusted: bool) -> list[Change]:
    """What an upgrade would do to the state of a version: a file, `running` or a folder."""
    if before == RUNNING:
        return changes(_running_state(job, flink), state_of(job))
    if Path(before).is_dir():
        from tocsin.engines.embedded.checkpoints import state_description
        from tocsin.engines.embedded.other_process import manifest_of

        return changes(manifest_of(Path(before))["state"], state_description(job))
    return changes(state_of(check_job(before, trusted=trusted)[0]), state_of(job))


def _targets(job: Job) -> dict[str, list[TargetChange]]:
    """What a live job does to the targets of its sinks, by step."""
    found = {}
    for step in job.steps:
        if isinstance(step.part, Sink) and step.schema is not None:
            step.part.set_step_name(f"{job.name}/{step.name}")
            some = step.part.target_changes(step.schema)
            if some:
                found[step.name] = some
    return found


def _running_state(job: Job, flink: str | None) -> dict[str, dict[str, Any]]:
    from tocsin.cli.deployment import flink_rest
    from tocsin.flink.job_metadata import described, flink_name

    rest = flink_rest(flink)
    state: dict[str, dict[str, Any]] = described(rest, rest.job(flink_name(job.name)).id)["state"]
    return state


def _input(name: str, one: tuple[str, str]) -> str:
    text = ".".join(one).removesuffix(".output")
    return f"{name}: {text}" if name else text


def _described(step: Step) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": step.name,
        "type": step.type,
        "input": ", ".join(_input(name, one) for name, one in step.sources()) or None,
        "outputs": {
            name: {}
            if schema is None
            else {c: str(schema.field(c).type) for c in user_columns(schema)}
            for name, schema in step.outputs.items()
        },
    }
    if isinstance(step.part, StatefulStep):
        found |= {
            "keys": ", ".join(step.part.keys()) or "none",
            "shards": step.part.shard_count(),
            "state": step.part.state_shape(step.schema),
        }
    return found
