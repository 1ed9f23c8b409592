"""The runs as one page: a table for each work, with medians and spread."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.contenders.contender import Contender, Run
from benchmarks.work import WORKS
from infra.cluster.settings import ROOT


def write(
    page: Path, command: str, runs: Sequence[Run], verdicts: Mapping[str, str], contenders: Mapping[str, Contender]
) -> None:
    """The page and nothing else."""
    lines = {contender.name: lines_of(contender.user_files) for contender in contenders.values()}
    parts = [_HEAD.format(command=command)]
    for name in dict.fromkeys(run.work for run in runs):
        parts.append(f"## {WORKS[name].title}\n\n{table([r for r in runs if r.work == name], verdicts, lines)}")
    page.write_text("\n\n".join(parts) + "\n")


def table(runs: Sequence[Run], verdicts: Mapping[str, str], lines: Mapping[str, int]) -> str:
    """A row for each way of each contender, best first."""
    groups: dict[tuple[str, str, str, bool], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.contender, run.detail, run.backend, run.is_cold), []).append(run)
    rows = sorted(groups.items(), key=lambda item: -statistics.median(run.rate for run in item[1]))
    body = []
    for (contender, detail, backend, is_cold), found in rows:
        rates = [run.rate for run in found]
        walls = [run.readings / run.cost.wall for run in found]
        memory = max(run.cost.memory for run in found)
        size = max((run.checkpoints.get("size", 0.0) for run in found), default=0.0)
        verdict = verdicts.get(f"{contender} · {found[0].work} · {backend}", "not compared")
        cells = [contender, detail or "-", backend, "cold" if is_cold else "warm", _spread(rates), _spread(walls)]
        cells += [f"{memory:,.0f}", f"{size:,.0f}" if size else "-", str(lines.get(contender, 0)), verdict]
        body.append(f"| {' | '.join(cells)} |")
    return "\n".join([_COLUMNS, *body])


def lines_of(files: Sequence[str]) -> int:
    """Lines that say something: neither empty nor comment."""
    texts = [(ROOT / file).read_text().splitlines() for file in files]
    return sum(bool(line.strip()) and not line.strip().startswith(("#", "--", '"""')) for text in texts for line in text)


def _spread(values: Sequence[float]) -> str:
    middle = statistics.median(values)
    return f"{middle:,.0f}" if len(values) == 1 else f"{middle:,.0f} ({min(values):,.0f}-{max(values):,.0f})"


_COLUMNS = (
    "| contender | way | state | runs | readings per CPU-second (median, spread) | readings per second | peak memory MiB "
    "| largest checkpoint MiB | lines of the user | answer |\n|---|---|---|---|---|---|---|---|---|---|"
)

_HEAD = """# Benchmarks

Made by `{command}` in one run on one machine: a real Kafka, the topic filled once, and every contender in turn on the same
messages. CPU-seconds are those of the processes that do the work (TaskManager and workers; or the one process), from
submission to the last result; the broker, and what only starts a job (client, JobManager, job server), are left out. Cold: the
first job of processes that have just begun, imports and compilation included; warm: the job after it. Checkpoints every second,
exactly once, for all that have them. The answers are compared with the right one, which is computed without any contender."""
