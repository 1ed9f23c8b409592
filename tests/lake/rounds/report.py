"""The report of random rounds: counts in one line, and as a page."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict

from tests.lake.rounds.round import Outcome

_TOTALS = (
    *("kills", "stalls", "commits", "rows", "erasures", "compactions", "backfills"),
    *("retentions", "checkpoints", "snapshots"),
)


def totals(outcomes: list[Outcome]) -> dict[str, int]:
    """The sums of all rounds, and the number of wrong ones."""
    every = [asdict(one) for one in outcomes]
    sums = {name: sum(one[name] for one in every) for name in _TOTALS}
    wrong = sum(bool(one.wrong) for one in outcomes)
    return {"seed": outcomes[0].seed, "rounds": len(outcomes), **sums, "wrong": wrong}


def summary(outcomes: list[Outcome]) -> str:
    """One line of JSON."""
    return json.dumps(totals(outcomes))


def page(outcomes: list[Outcome]) -> str:
    """A page in Markdown."""
    found = totals(outcomes)
    seconds = [one.seconds for one in outcomes]
    names = {
        "seed": "seed of the first round",
        "rounds": "rounds",
        "kills": "processes killed with `kill -9`",
        "stalls": "appenders stopped while another took over their shards",
        "commits": "commits",
        "rows": "rows at the end",
        "erasures": "erasures that deleted rows",
        "compactions": "compactions that merged files",
        "backfills": "merged backfills",
        "retentions": "retentions that removed rows",
        "checkpoints": "checkpoints of the log",
        "snapshots": "versions read and judged",
        "wrong": "wrong rounds",
    }
    lines = [f"| {text} | {found[name]:,} |" for name, text in names.items()]
    failed = [f"\n- seed {one.seed}: {one.wrong[0][:200]}\n" for one in outcomes if one.wrong]
    command = (
        f"python -m tests.lake.rounds --rounds {found['rounds']} --seed {found['seed']} "
        "--page docs/reports/lake_rounds.md"
    )
    spread = f"Seconds a round: {statistics.median(seconds):.1f} median, {max(seconds):.1f} most."
    return _PAGE.format(command=command, lines="\n".join(lines), spread=spread) + "".join(failed)


_PAGE = """# Random rounds on a lake

In each round, 3 appenders, compaction, erasure, retention, maintenance, backfills and 2 readers
work on one dataset at once, each in a process of its own. Processes are killed and started again.
Some appenders are stopped, and wake up after a successor took over their shards. The topic is the
judge: each version that a reader sees, and the lake at the end, must hold its rows once, without
those that an erasure or a retention removed.

```sh
{command}
```

| what | count |
|---|---|
{lines}

{spread}
"""
