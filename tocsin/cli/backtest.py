"""`tocsin plan --against`: the alarms that a job would have raised."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tocsin.cli.console import DONE, note, say, show_json, table
from tocsin.compiler.job import Job

if TYPE_CHECKING:
    from tocsin.backtest.compare import Episode

# Further alarms are counted, not listed.
_LISTED = 50


def backtest(before: Job | None, after: Job, recording: str, plots: Path | None, json: bool) -> int:
    """Show the alarms, or the difference between two versions of a job.

    Raises Failure if the recording cannot be read.
    """
    from tocsin.backtest.compare import Difference, episodes

    now = episodes(after, recording)
    found = Difference(now if before is None else episodes(before, recording), now)
    new, gone = found.new, found.gone
    if plots is not None:
        from tocsin.backtest.plots import draw_plots

        count = draw_plots(
            plots, before, after, recording, found if before is not None else Difference([], now)
        )
        note(f"{plots}: {count} plots")
    if json:
        listed = (
            {"new": [asdict(one) for one in new], "gone": [asdict(one) for one in gone]}
            if before is not None
            else {}
        )
        show_json(
            {
                "job": after.name,
                "alarms": [asdict(one) for one in now],
                "before": len(found.before),
                **listed,
            }
        )
        return DONE
    if before is None:
        say(_count(now))
        _list([("", one) for one in now])
        return DONE
    same = len(now) - len(new)
    say(
        f"{_count(now)} instead of {len(found.before)}: "
        f"{same} as before, {len(new)} new, {len(gone)} gone"
    )
    _list(
        sorted(
            [*(("new", one) for one in new), *(("gone", one) for one in gone)],
            key=lambda row: row[1].start,
        )
    )
    return DONE


def _count(alarms: list[Episode]) -> str:
    return f"{len(alarms)} alarm{'' if len(alarms) == 1 else 's'}"


def _list(alarms: list[tuple[str, Episode]]) -> None:
    if not alarms:
        return
    rows: list[list[Any]] = [
        [
            change,
            f"{one.start:%Y-%m-%d %H:%M:%S}",
            "active" if one.end is None else f"{one.end:%Y-%m-%d %H:%M:%S}",
            one.rule,
            one.severity,
            one.message,
        ]
        for change, one in alarms[:_LISTED]
    ]
    say(table(["", "from", "to", "rule", "severity", "why"], rows))
    if len(alarms) > _LISTED:
        say(f"and {len(alarms) - _LISTED} more: --json lists all")
