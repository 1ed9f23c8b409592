"""`python -m tests.mutation`: change the code in many places, and see whether the tests notice."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from tests.mutation.mutants import sample
from tests.mutation.page import page, share, unexplained
from tests.mutation.selection import measured
from tests.mutation.trial import Trial, check_unchanged, load, save, try_all
from tests.mutation.worker import ROOT, STORE, Worker

# The smallest part of a sample that must be killed.
BAR = 0.85


def run(seed: int, count: int, workers: int) -> list[Trial]:
    """Draw a sample and try it; `.mutants` keeps the outcomes."""
    STORE.mkdir(exist_ok=True)
    began = time.monotonic()
    copies = [Worker(number) for number in range(workers)]
    selection = measured(copies)
    check_unchanged(copies[0], selection)
    mutants = sample(ROOT, seed, count)
    print(f"{len(selection.seconds)} tests, {len(mutants)} mutants, "
          f"ready after {time.monotonic() - began:.0f} s", flush=True)  # fmt: skip
    trials = try_all(mutants, copies, selection, lambda line: print(line, flush=True))
    save(trials, STORE / f"seed-{seed}.json")
    print(f"seed {seed}: {share(trials):.1%} of {len(trials)} killed "
          f"in {(time.monotonic() - began) / 60:.0f} min", flush=True)  # fmt: skip
    return trials


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--seed", type=int, nargs="+", default=[1], help="one sample for each")
    parser.add_argument("--count", type=int, default=120, help="mutants in a sample")
    parser.add_argument("--workers", type=int, default=2, help="copies of the tree used at once")
    parser.add_argument("--page", type=Path, help="where to write the page")
    parser.add_argument("--again", action="store_true", help="only write the page, from .mutants")
    given = parser.parse_args()
    samples = {
        seed: load(STORE / f"seed-{seed}.json")
        if given.again
        else run(seed, given.count, given.workers)
        for seed in given.seed
    }
    if given.page is not None:
        given.page.write_text(page(samples), "utf-8")
    for trials in samples.values():
        for trial in unexplained(trials):
            print(f"no reason in reasons.toml: {trial.mutant}")
    enough = all(share(trials) >= BAR for trials in samples.values())
    return 0 if enough and not any(map(unexplained, samples.values())) else 1


if __name__ == "__main__":
    raise SystemExit(main())
