"""The runs as one page: a table and a plot for each work, with medians and spread."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.contenders.contender import Run
from benchmarks.measuring import Cost
from benchmarks.work import WORKS
from infra.cluster.settings import ROOT


@dataclass
class Section:
    """One work in one run of the command.

    verdicts: on answers, by contender and state. failures: a sentence each.
    """

    work: str
    command: str
    runs: list[Run] = field(default_factory=list)
    verdicts: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @property
    def states(self) -> set[str]:
        """State backends of its runs."""
        return {run.backend for run in self.runs} - {"memory"}

    @classmethod
    def of(cls, stored: dict[str, Any]) -> Section:
        """A section from the JSON that `write` wrote."""
        runs = [Run(**{**run, "cost": Cost(**run["cost"])}) for run in stored["runs"]]
        return cls(**{**stored, "runs": runs})


@dataclass(frozen=True)
class Way:
    """How a contender did a work: one row of the table."""

    contender: str
    detail: str
    backend: str
    is_cold: bool

    def __str__(self) -> str:
        return ", ".join(
            filter(
                None,
                [self.contender, self.detail, self.backend, "cold" if self.is_cold else "warm"],
            )
        )


def kept(page: Path, but: Section) -> list[Section]:
    """Sections of the existing page, without those of the same work and state."""
    file = page.with_suffix(".json")
    if not file.exists():
        return []
    stored = [Section.of(one) for one in json.loads(file.read_text())]
    return [
        one
        for one in stored
        if one.work != but.work or (one.states and but.states and not one.states & but.states)
    ]


def write(page: Path, sections: Sequence[Section], user_files: Mapping[str, Sequence[str]]) -> None:
    """The page, its plots, and the runs as JSON."""
    order = list(WORKS)
    sections = sorted(sections, key=lambda one: order.index(one.work))
    parts = [_HEAD]
    for section in sections:
        plot = page.with_name("-".join([page.stem, section.work, *sorted(section.states)]) + ".svg")
        draw(section, plot)
        texts = [
            f"## {WORKS[section.work].title}",
            f"`{section.command}`",
            table(section, user_files),
            *section.failures,
        ]
        parts += [*texts, f"![Rates]({plot.name})"]
    page.write_text("\n\n".join(parts) + "\n")
    page.with_suffix(".json").write_text(
        json.dumps([asdict(section) for section in sections], indent=1) + "\n"
    )


def by_way(section: Section) -> list[tuple[Way, list[Run]]]:
    """Runs of each way, best first."""
    groups: dict[Way, list[Run]] = {}
    for run in section.runs:
        groups.setdefault(Way(run.contender, run.detail, run.backend, run.is_cold), []).append(run)
    return sorted(groups.items(), key=lambda item: -statistics.median(run.rate for run in item[1]))


def table(section: Section, user_files: Mapping[str, Sequence[str]]) -> str:
    """A row for each way of each contender, best first."""
    body = []
    for way, found in by_way(section):
        memory = max(run.cost.memory for run in found)
        size = max((run.checkpoints.get("size", 0.0) for run in found), default=0.0)
        verdict = section.verdicts.get(f"{way.contender} · {way.backend}", "not compared")
        cells = [way.contender, way.detail or "-", way.backend, "cold" if way.is_cold else "warm"]
        cells += [
            _spread([run.rate for run in found]),
            _spread([run.readings / run.cost.wall for run in found]),
        ]
        cells += [
            f"{memory:,.0f}",
            f"{size:,.0f}" if size else "-",
            str(lines_of(user_files.get(way.contender, ()))),
            verdict,
        ]
        body.append(f"| {' | '.join(cells)} |")
    return "\n".join([_COLUMNS, *body])


def lines_of(files: Sequence[str]) -> int:
    """The number of lines that are neither empty nor comments."""
    texts = [(ROOT / file).read_text().splitlines() for file in files]
    return sum(
        bool(line.strip()) and not line.strip().startswith(("#", "--", '"""'))
        for text in texts
        for line in text
    )


def draw(section: Section, file: Path) -> None:
    """Draw the readings per CPU-second of each way, with a dot for each run."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "tocsin"
    from matplotlib import pyplot as plt

    ways = by_way(section)[::-1]
    figure, axis = plt.subplots(figsize=(9, 0.8 + 0.27 * len(ways)))
    colours = [
        "tab:orange" if way.contender.startswith("Tocsin") else "tab:gray" for way, _ in ways
    ]
    axis.barh(
        [str(way) for way, _ in ways],
        [statistics.median(run.rate for run in runs) for _, runs in ways],
        color=colours,
    )
    for at, (_, runs) in enumerate(ways):
        axis.plot([run.rate for run in runs], [at] * len(runs), "k.", markersize=4)
    axis.set_xlabel("readings per CPU-second")
    axis.tick_params(axis="y", labelsize=7)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


def _spread(values: Sequence[float]) -> str:
    middle = statistics.median(values)
    return (
        f"{middle:,.0f}"
        if len(values) == 1
        else f"{middle:,.0f} ({min(values):,.0f}-{max(values):,.0f})"
    )


_COLUMNS = (
    "| contender | way | state | runs | readings per CPU-second (median, spread) "
    "| readings per second | peak memory MiB | largest checkpoint MiB | lines of the user "
    "| answer |\n|---|---|---|---|---|---|---|---|---|---|"
)

_HEAD = """# Benchmarks

Each table comes from the command above it, on one machine of two cores with a real Kafka. Each
topic was filled once, and the contenders ran in turn on the same messages.

- **CPU-seconds** are those of the processes that do the work (TaskManager and workers, or the one
  process), from submission to the last result. They leave out the broker and the processes that
  only start a job (client, JobManager, job server).
- **Cold** is the first job of new processes, including imports and compilation; **warm** are the
  jobs after it.
- **Checkpoints** are taken every second, exactly once, by all contenders that have them.
- **Answers** are compared with the right one, which is computed without any contender.
- A single run has no spread. Two runs of one way have differed by up to a tenth on this machine,
  and by more when other processes were running."""
