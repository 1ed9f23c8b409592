"""Random rounds on a lake: `python -m tests.lake.rounds --rounds 200 --seed 1 [--page FILE]`.

Each round has its own seed, printed with its outcome. `--seed SEED --rounds 1` repeats it, as far
as the machine's scheduling allows. The folder of a wrong round is kept.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from tests.lake.rounds.defects import DEFECTS
from tests.lake.rounds.report import page, summary
from tests.lake.rounds.round import Outcome, play
from tests.lake.rounds.topic import Topic, batch_of
from tocsin.parts.registry import find
from tocsin.table.parts_of_time import by_values


def main() -> int:
    """Play rounds; 1 if one of them was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.lake.rounds")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1, help="of the first round")
    parser.add_argument("--page", type=Path, help="write a page about the rounds")
    parser.add_argument("--defect", choices=sorted(DEFECTS), help="play with a defect")
    asked = parser.parse_args()
    _load()
    if asked.defect:
        DEFECTS[asked.defect]()
    root = Path(tempfile.mkdtemp(prefix="tocsin-rounds-"))
    os.environ["TOCSIN_ALLOW_FOLDERS"] = str(root)
    outcomes: list[Outcome] = []
    for seed in range(asked.seed, asked.seed + asked.rounds):
        folder = root / str(seed)
        outcomes.append(play(folder, seed))
        print(outcomes[-1].line(), flush=True)
        if not outcomes[-1].wrong:
            shutil.rmtree(folder)
    wrong = [one.seed for one in outcomes if one.wrong]
    for seed in wrong:
        print(f"wrong: repeat with --rounds 1 --seed {seed}; its folder is {root / str(seed)}")
    if not wrong:
        shutil.rmtree(root)
    print(summary(outcomes))
    if asked.page:
        asked.page.write_text(page(outcomes))
    return 1 if wrong else 0


def _load() -> None:
    """Load what all processes need, so that they start in milliseconds."""
    find("write", "write_to_lake")
    _, readings = next(Topic(0).units(0, 0))
    list(by_values(batch_of(readings), ["zone"]))


if __name__ == "__main__":
    sys.exit(main())
