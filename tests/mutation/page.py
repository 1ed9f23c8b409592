"""The page about the samples: the killed share, and each survivor with its reason."""

from __future__ import annotations

import tomllib
from pathlib import Path

from tests.mutation.mutants import AREAS, Mutant
from tests.mutation.trial import Trial

REASONS = Path(__file__).with_name("reasons.toml")
_HEAD = """# Mutants
`make mutants` changes one place of the code at a time and runs the tests that run this place.
A mutant that no test notices shows what the tests do not check. `tests/mutation` explains the
choices, and [decision 018](../decisions/018-mutants.md) the reasons.

The places are drawn by a seed, at least ten in each area. A mutant is killed when a test fails, or
when the tests do not end in time. A place that no test runs counts as a survivor.
"""
_TABLE = ["Survivors:", "", "| Place | Change | Reason |", "|---|---|---|"]


def reasons(file: Path = REASONS) -> dict[tuple[str, ...], str]:
    """Why a mutant may survive, by what `_key` gives."""
    entries = tomllib.loads(file.read_text("utf-8")).get("survivor", [])
    return {
        tuple(entry[name] for name in ("path", "function", "text", "before", "after")): entry[
            "reason"
        ]
        for entry in entries
    }


def _key(mutant: Mutant) -> tuple[str, ...]:
    return mutant.path, mutant.function, mutant.text, mutant.before, mutant.after


def unexplained(trials: list[Trial]) -> list[Trial]:
    """Survivors without a reason."""
    known = reasons()
    return [trial for trial in trials if not trial.is_killed and _key(trial.mutant) not in known]


def page(samples: dict[int, list[Trial]]) -> str:
    """Markdown: a table by area for each seed, and the survivors."""
    return "\n".join([_HEAD, *(_section(seed, trials) for seed, trials in samples.items())])


def share(trials: list[Trial]) -> float:
    """The killed part of a sample."""
    return sum(trial.is_killed for trial in trials) / len(trials)


def _section(seed: int, trials: list[Trial]) -> str:
    rows = [
        "| Area | Mutants | Killed | Out of time | Survived | Not run |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for area in [*AREAS, "all"]:
        mine = [trial for trial in trials if area in ("all", trial.mutant.area)]
        counts = [
            sum(trial.outcome == outcome for trial in mine)
            for outcome in ("killed", "out of time", "survived", "not run")
        ]
        rows.append(f"| {area} | {len(mine)} | {' | '.join(map(str, counts))} |")
    survivors = [trial for trial in trials if not trial.is_killed]
    return "\n".join([
        f"## Seed {seed}: {share(trials):.1%} of {len(trials)} mutants killed", *rows, "",
        *(_TABLE if survivors else []), *(_survivor(trial) for trial in survivors), "",
    ])  # fmt: skip


def _survivor(trial: Trial) -> str:
    mutant = trial.mutant
    why = reasons().get(_key(mutant), "**no reason yet**")
    if trial.outcome == "not run":
        why = f"No test runs this line. {why}"
    cells = (
        f"`{mutant.path}` `{mutant.function}`",
        f"`{mutant.text}`: `{mutant.before}` became `{mutant.after}`",
        why,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
