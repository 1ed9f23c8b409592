"""A job that reads its archive instead of its topics."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from tocsin.compiler.job import Job, Step
from tocsin.foundation.failure import Failure, Mistake
from tocsin.foundation.lake_folder import is_in_store
from tocsin.kernels.batch import traits
from tocsin.parts.registry import load, step_types

_SHARED = (
    "event_time",
    "time_unit",
    "out_of_orderness",
    "allowed_lateness",
    "max_future",
    "max_ahead",
    "topic",
)


def from_archive(job: Job, lake: str, since: int | None = None) -> Job:
    """The same job with sources that read their archives.

    since: microseconds; None reads all. Raises Failure for a source without an archive.
    """
    return replace(
        job,
        # The operator names the archive, wherever it is.
        folders=[*job.folders, *([] if "://" in lake else [lake])],
        steps=[
            _archived(step, lake, since) if _reads(step) else step
            for step in job.steps
            if not _keeps(step)
        ],
    )


def without_messages(job: Job) -> Job:
    """The same job without the steps that write to topics: nobody sees an alarm twice."""
    return replace(
        job, steps=[step for step in job.steps if step.type not in ("WriteAlarms", "WriteRejects")]
    )


def into_subfolder(job: Job, folder: str) -> tuple[Job, dict[Path, list[str]]]:
    """The same job, writing into a folder inside each lake; and the lakes with their datasets.

    Raises Mistake for a lake in an object store.
    """
    lakes: dict[Path, list[str]] = {}
    steps = []
    for step in job.steps:
        lake = getattr(step.part, "lake", "") if step.type == "WriteToLake" else ""
        if step.part is None or not lake:
            steps.append(step)
            continue
        if is_in_store(lake):
            raise Mistake(
                f"'{step.name}' writes the lake {lake}, and a backfill replaces rows of lakes in "
                "folders of this machine only"
            )
        lakes.setdefault(Path(lake), []).append(step.config["dataset"])
        place = {"lake": str(Path(lake).absolute() / folder)}
        steps.append(
            replace(step, config={**step.config, **place}, part=step.part.model_copy(update=place))
        )
    return replace(job, steps=steps), lakes


def _reads(step: Step) -> bool:
    return step.type == "ReadTelemetry"


def _keeps(step: Step) -> bool:
    return step.name.endswith(" (archive)") and step.type == "WriteToLake"


def _archived(step: Step, lake: str, since: int | None) -> Step:
    archive = getattr(step.part, "archive", None)
    if archive is None:
        raise Failure(f"'{step.name}' keeps no archive; give it `archive: {{lake: …, dataset: …}}`")
    assert step.part is not None
    settings = step.part.model_dump(by_alias=True)
    config: dict[str, Any] = {name: settings[name] for name in _SHARED}
    config |= {
        "lake": lake,
        "dataset": archive.dataset,
        "since": since,
        "units": dict(traits(step.outputs["output"]).units),
    }
    part = load(step_types()["ReadArchive"]).model_validate(config)
    return replace(step, type="ReadArchive", config=config, part=part)
