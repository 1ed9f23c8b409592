"""`python -m benchmarks`: run all contenders in turn on the same messages."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from pathlib import Path

from benchmarks.contenders.contender import Contender, Run
from benchmarks.contenders.flink_programs import FLINK_PROGRAMS
from benchmarks.contenders.flink_sql import FlinkSql
from benchmarks.contenders.programs import PROGRAMS
from benchmarks.contenders.tocsin_on_flink import TocsinOnFlink
from benchmarks.report import Section, kept, write
from benchmarks.topics import BROKER, broker
from benchmarks.work import WORKS, Work

CONTENDERS: dict[str, Contender] = {
    "tocsin": TocsinOnFlink(),
    "sql": FlinkSql(),
    **FLINK_PROGRAMS,
    **PROGRAMS,
}


def main() -> None:
    """Alternate, measure, compare the answers, report."""
    options = _options()
    brokers = broker()
    command = f"python -m benchmarks {shlex.join(sys.argv[1:])}"
    for name in options.work:
        work = WORKS[name]
        work.fill(brokers)
        section = Section(name, command)
        for _ in range(options.repeat):
            for key in options.contenders:
                contender = CONTENDERS[key]
                if not contender.can(work):
                    continue
                for backend in options.backends if contender.has_cold_runs else ["memory"]:
                    _turn(contender, work, backend, brokers, options, section)
        lines = {contender.name: contender.user_files for contender in CONTENDERS.values()}
        # After each work, so that a failure of the next loses nothing.
        write(options.report, [*kept(options.report, section), section], lines)


def _turn(
    contender: Contender,
    work: Work,
    backend: str,
    brokers: str,
    options: argparse.Namespace,
    section: Section,
) -> None:
    for detail in contender.details():
        if options.only and detail and not re.search(options.only, detail):
            continue
        try:
            with contender.up(work, detail, backend, brokers) as session:
                for is_cold in (
                    (True, *([False] * options.warm)) if contender.has_cold_runs else (False,)
                ):
                    run = session.run(is_cold)
                    section.runs.append(run)
                    print(_line(run), flush=True)
                key = f"{contender.name} · {backend}"
                if key not in section.verdicts:
                    section.verdicts[key] = str(session.check(BROKER.folder))
                    print(f"  its answer: {section.verdicts[key]}", flush=True)
        except RuntimeError as error:
            # A contender that fails is a result too.
            section.failures.append(
                f"{contender.name}, {detail or '-'}, {backend}: {str(error)[:300]}"
            )
            print(f"  failed: {section.failures[-1]}", flush=True)


def _line(run: Run) -> str:
    way = " ".join(
        filter(
            None,
            [run.work, run.contender, run.detail, run.backend, "cold" if run.is_cold else "warm"],
        )
    )
    wall = run.readings / run.cost.wall
    return (
        f"{way}: {run.rate:,.0f} readings a CPU-second, {wall:,.0f} a second, "
        f"{run.cost.memory:,.0f} MiB"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--work", nargs="+", choices=WORKS, default=list(WORKS))
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument(
        "--backends", nargs="+", choices=["hashmap", "rocksdb"], default=["hashmap", "rocksdb"]
    )
    parser.add_argument("--repeat", type=int, default=3, help="runs of every contender, in turn")
    parser.add_argument(
        "--warm",
        type=int,
        default=1,
        help="runs after the first, for contenders whose processes stay",
    )
    parser.add_argument(
        "--only",
        default="",
        help="a regular expression: only the ways to do the work whose name it finds",
    )
    parser.add_argument(
        "--report",
        type=Path,
        default=Path("docs/reports/benchmarks.md"),
        help="page to write; its works that are not run stay",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
