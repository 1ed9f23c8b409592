"""The report of fault runs; `python -m tests.faults.report ROUNDS.jsonl …` prints it."""

from __future__ import annotations

import json
import os
import statistics
import sys
from dataclasses import dataclass, field
from pathlib import Path

from infra.cluster.settings import versions
from tests.faults.faults import FAULTS


@dataclass
class Round:
    """One fault and its verdict.

    recovery: seconds from the end of the fault's cause to a window in the lake that ended after it.
    silence: the longest time without a newer window, from the fault to the verdict. whole: seconds
    until every output that was due at the recovery existed, alarms included.
    """

    fault: str
    recovery: float = 0.0
    silence: float = 0.0
    whole: float = 0.0
    struck_for: float = 0.0
    records: int = 0
    lost: int = 0
    duplicated: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether the round has no problem."""
        return not self.problems


def _spread(times: list[float]) -> str:
    return f"{statistics.median(times):.1f}, {max(times):.1f}" if times else "-"


def _row(name: str, of: list[Round]) -> str:
    spans = [
        _spread([getattr(r, what) for r in of if r.whole])
        for what in ("recovery", "silence", "whole")
    ]
    counts = [
        len(of),
        sum(r.passed for r in of),
        sum(r.lost for r in of),
        sum(r.duplicated for r in of),
    ]
    return f"| {' | '.join([name, *map(str, counts), *spans])} |"


def table(rounds: list[Round]) -> str:
    """One row a fault, and one for all."""
    lines = [
        (
            "| fault | rounds | passed | lost | duplicated | fresh output after, s "
            "| longest silence, s | all output after, s |"
        ),
        "|---|---|---|---|---|---|---|---|",
    ]
    names = sorted({r.fault for r in rounds}, key=list(FAULTS).index)
    lines += [_row(name, [r for r in rounds if r.fault == name]) for name in names]
    lines += [_row("**all**", rounds), ""]
    records = max((r.records for r in rounds), default=0)
    lines.append(f"Messages in the topic at the end: {records:,}. Times: median, most.")
    return "\n".join(lines)


def _failures(rounds: list[Round]) -> str:
    """Every round that did not pass, with its reason."""
    failed = [(number, r) for number, r in enumerate(rounds, 1) if not r.passed]
    listed = "\n".join(
        f"- round {number}, {r.fault}: {'; '.join(r.problems)[:300]}" for number, r in failed
    )
    return f"\n## Rounds that did not pass\n\n{listed}\n" if failed else ""


def page(rounds: list[Round], seeds: list[int]) -> str:
    """The table and its explanation, as Markdown."""
    known = versions()
    kafka, flink, beam = (known[f"{name}_VERSION"] for name in ("KAFKA", "FLINK", "BEAM_RUNNER"))
    what = "\n".join(
        f"| {name} | {(strike.__doc__ or '').splitlines()[0]} |" for name, strike in FAULTS.items()
    )
    return f"""# Faults

Measured by `make faults`, written by `python -m tests.faults.report`: {len(rounds)} rounds. The
seed of a run ({", ".join(map(str, seeds))}) repeats its order. Kafka {kafka}, Flink {flink},
Beam {beam}, {os.cpu_count()} cores, 300 readings a second, checkpoints each second.

After each fault, a judge compares every row, file, alarm and dead letter. It shares no code with
the job: DuckDB over the lake, a `read_committed` consumer over the alarms, and an oracle that reads
the topic.

- *Lost* and *duplicated* count rows, windows and alarm events.
- *Fresh output after*: from the end of the fault's cause to a window in the lake that ended
  after it.
- *Longest silence*: the longest time without a newer window, from the fault on; a window ends every
  2 s.
- *All output after*: until no output that was due was missing, alarms included.

{table(rounds)}
{_failures(rounds)}
## What each fault is

| fault | what happens |
|---|---|
{what}
"""


def main() -> int:
    """Print the page."""
    lines = [
        json.loads(line)
        for file in sys.argv[1:]
        for line in Path(file).read_text("utf-8").splitlines()
    ]
    rounds = [
        Round(**{name: value for name, value in line.items() if name != "seed"}) for line in lines
    ]
    print(page(rounds, list(dict.fromkeys(line["seed"] for line in lines))), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
