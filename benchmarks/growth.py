"""`python -m benchmarks.growth`: the needs of a city of ten million sensors, computed."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from benchmarks.contenders.contender import Run
from benchmarks.report import Section
from benchmarks.work import WORKS

REPORT = Path("docs/reports/benchmarks.json")
PAGE, TEMPLATE = Path("docs/growth.md"), Path("benchmarks/pages/growth.md")

# The city.
NODES, SENSORS, RATE, EACH = 1_000, 10_000_000, 10_000_000, 500
# The used share of a machine, so that it catches up within two hours after a failure of one.
USED = 0.6
# Bytes of a message of one reading in Kafka (work a), of a reading among 500 (work b), and of a row
# of aggregates in the lake (jobs/air_quality.yaml on 3 million simulated readings: 3.28 MB in
# 501,770 rows).
MESSAGE_BYTES, EDGE_BYTES, LAKE_BYTES = 53, 52, 6.5
SPAN, SHARDS = 15 * 60, 128
# Tocsin's own limit: the greatest parallelism of a savepoint (tocsin/engines/beam/submission.py).
MOST_SUBTASKS = 128


def warm(
    sections: list[Section], work: str, parallelism: int = 1, state: str = "hashmap"
) -> list[Run]:
    """Tocsin's warm runs on Flink."""
    wanted = ("Tocsin on Flink", f"parallelism {parallelism}", state, False)
    return [
        r
        for s in sections
        if s.work == work
        for r in s.runs
        if (r.contender, r.detail, r.backend, r.is_cold) == wanted
    ]


def micros(runs: list[Run]) -> float:
    """CPU-microseconds for each reading."""
    return 1e6 / statistics.median(run.rate for run in runs)


def main() -> None:
    """Write the page."""
    sections = [Section.of(one) for one in json.loads(REPORT.read_text())]
    cost = {name: micros(warm(sections, name)) for name in ("a12", "b", "d10k", "d1m", "e")}
    # Several detectors cost their sum; the job (e) has three, over aggregates.
    cores = {name: RATE * value / 1e6 / USED for name, value in cost.items()}
    figures = {**speed(sections), **state_and_files(sections), **rates(cost, cores)}
    memory = max(run.cost.memory for run in warm(sections, "e"))
    PAGE.write_text(
        TEMPLATE.read_text().format(**figures, memory=memory, memory_all=memory * cores["e"] / 1024)
    )


def speed(sections: list[Section]) -> dict[str, float]:
    """Readings a second and used cores at parallelism 1 and 2, in work (a)."""
    runs = {parallelism: warm(sections, "a12", parallelism) for parallelism in (1, 2)}
    one, two = (statistics.median(r.readings / r.cost.wall for r in runs[p]) for p in (1, 2))
    share1, share2 = (
        statistics.median(r.cost.engine / r.cost.wall for r in runs[p]) for p in (1, 2)
    )
    return {"one": one, "two": two, "gain": two / one, "share1": share1, "share2": share2}


def state_and_files(sections: list[Section]) -> dict[str, float]:
    """Bytes of state for a sensor and for all, and the size and number of files of the lake."""
    series = WORKS["d1m"].readings.sensors * 4
    state = max(run.checkpoints["size"] for run in warm(sections, "d1m")) * 2**20 / series
    windows = max(run.checkpoints["size"] for run in warm(sections, "a12")) * 2**20 / 40_000
    rows_a_second, files_a_day = SENSORS / 60, 86_400 // SPAN * SHARDS
    return {
        "state": state,
        "state_all": state * SENSORS / 1e9,
        "windows": windows,
        "windows_all": windows * SENSORS / 1e9,
        "lake": rows_a_second * LAKE_BYTES / 1e6,
        "lake_day": SENSORS * 1440 * LAKE_BYTES / 1e9,
        "files": files_a_day,
        "file": SENSORS * SPAN / 60 * LAKE_BYTES / SHARDS / 1e6,
        "shards": SHARDS,
        "span": SPAN // 60,
    }


def rates(cost: dict[str, float], cores: dict[str, float]) -> dict[str, Any]:
    """The table of works, and what follows from their cost (CPU-microseconds and cores)."""
    rows = [
        ("aggregates, a message a reading", "a12", MESSAGE_BYTES),
        ("aggregates, 500 readings a message", "b", EDGE_BYTES),
        ("a detector on every reading, 1,000,000 series", "d1m", MESSAGE_BYTES),
        ("the whole air-quality job to lake and alarms", "e", MESSAGE_BYTES),
    ]
    table = "\n".join(
        f"| {title} | {cost[name]:.2f} | {cores[name]:,.0f} | {RATE * size / 1e6:,.0f} |"
        for title, name, size in rows
    )
    return {
        "table": table,
        "nodes": NODES,
        "sensors": SENSORS,
        "rate": RATE,
        "used": USED,
        "each": EACH,
        "partitions": -(-int(cores["e"]) // 16) * 16,
        "cores_e": cores["e"],
        "flat": cost["d1m"] / cost["d10k"],
        "cost_10k": cost["d10k"],
        "cost_1m": cost["d1m"],
        "most": MOST_SUBTASKS,
        "most_rate": MOST_SUBTASKS * USED / cost["e"],
    }


if __name__ == "__main__":
    main()
