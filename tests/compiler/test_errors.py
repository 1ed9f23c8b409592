"""Each wrong job in tests/errors is reported in exactly these sentences, with their places.

A new case is a new .yaml file. `pytest tests/compiler/test_errors.py --force-regen` writes the
sentences for review.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tocsin.compiler.checker import check_file
from tocsin.compiler.diagnostics import JobError

FOLDER = Path(__file__).parents[1] / "errors"
CASES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_job_is_reported_in_these_sentences(
    case: str, file_regression: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(FOLDER.parents[1])
    monkeypatch.delenv("NOWHERE_SET", raising=False)
    with pytest.raises(JobError) as wrong:
        check_file(f"tests/errors/{case}.yaml")
    root = str(FOLDER.parents[1])
    text = "\n".join(str(problem) for problem in wrong.value.problems).replace(root, "<project>")
    file_regression.check(text + "\n", fullpath=FOLDER / f"{case}.txt")


def test_a_job_with_six_mistakes_names_all_of_them() -> None:
    assert len((FOLDER / "six_mistakes.txt").read_text().splitlines()) == 6


def test_no_message_names_a_library() -> None:
    for case in CASES:
        text = (FOLDER / f"{case}.txt").read_text().lower()
        assert "pydantic" not in text
        assert "extra inputs" not in text
        assert "traceback" not in text
