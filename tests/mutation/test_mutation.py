"""The mutants are real changes in sensible places, and the sample is one of a seed."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

# A development tool that `make setup` installs.
pytest.importorskip("cosmic_ray")

from cosmic_ray.mutating import mutate_code

from tests.mutation import mutants as tool
from tests.mutation.mutants import AREAS, LEAST, OPERATORS, Mutant, sample, shares, sites_of
from tests.mutation.operators import DeleteStatement, SwapArguments
from tests.mutation.page import page, reasons, share
from tests.mutation.selection import Selection, statement_lines
from tests.mutation.trial import Trial, load, save

SOURCE = '''"""Text with 1 + 1."""

import os

LIMIT = 3


def add(a: int | None, b: int = 2) -> int | str:
    """Add."""
    if a is None:
        raise ValueError(a + 1)
    os.kill(a, b + 1)
    total = (
        a
        + b
    )
    for name in zip([a], [b], strict=True):
        seen[name] = total
    return total
'''


def changes(text: str) -> set[str]:
    return {name for site in sites_of(SOURCE) if site.text == text for name, _ in site.changes}


def test_places_without_a_result_stay_as_they_are() -> None:
    for text in ('"""Text with 1 + 1."""', "import os", '"""Add."""', "raise ValueError(a + 1)"):
        assert changes(text) == set()
    # Annotations stay; the default between them may change.
    assert changes("def add(a: int | None, b: int = 2) -> int | str:") == {"NumberReplacer"}
    assert changes("os.kill(a, b + 1)") == set()
    assert "ReplaceTrueWithFalse" not in changes("for name in zip([a], [b], strict=True):")
    assert changes("+ b") == {"ReplaceBinaryOperator_Add_Sub"}
    assert changes("seen[name] = total") == {"DeleteStatement"}


@pytest.mark.parametrize("operator", [SwapArguments(), DeleteStatement()])
def test_our_operators_do_what_they_show(operator: SwapArguments | DeleteStatement) -> None:
    for example in operator.examples():
        found = mutate_code(example.pre_mutation_code, operator, example.occurrence)
        assert found == example.post_mutation_code


def test_arguments_whose_order_changes_nothing_are_not_swapped() -> None:
    for text in ("max(a, b)", "f(a, a)", "f(a, key=b)", "f(*a, *b)", "isinstance(a, b)"):
        assert mutate_code(text, SwapArguments(), 0) is None


def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tool, "AREAS", {"one": "one", "other": "other"})
    monkeypatch.setattr(tool, "LEAST", 2)
    for folder, source in (("one", SOURCE), ("other", "def f(a, b):\n    return a < b, a - b\n")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "code.py").write_text(source)
    return tmp_path


def test_a_sample_is_that_of_its_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = small(tmp_path, monkeypatch)
    drawn = sample(root, 1, 6)
    assert len(drawn) == 6
    assert drawn == sample(root, 1, 6)
    assert any(drawn != sample(root, seed, 6) for seed in range(2, 6))
    for mutant in drawn:
        original = (root / mutant.path).read_text()
        assert ast.dump(ast.parse(mutant.source)) != ast.dump(ast.parse(original))
        assert mutant.before != mutant.after
        assert mutant.text in original
    # What is written above a place does not change whether it is drawn.
    (root / "one" / "code.py").write_text("# A line more.\n" + SOURCE)
    assert [replace(mutant, line=0) for mutant in sample(root, 1, 6)] == [
        replace(mutant, line=0) for mutant in drawn
    ]


def test_every_area_has_its_share() -> None:
    found = shares({"large": 900, "small": 100}, 120)
    assert sum(found.values()) == 120
    assert found["small"] == LEAST + 10


def test_every_operator_finds_a_place_in_the_code() -> None:
    root = Path(__file__).parents[2]
    found = {
        name
        for folder in AREAS.values()
        for path in sorted((root / folder).rglob("*.py"))
        for site in sites_of(path.read_text())
        for name, _ in site.changes
    }
    assert found == set(OPERATORS)


def test_the_lines_of_a_statement_are_all_its_lines() -> None:
    tree = ast.parse(SOURCE)
    assert statement_lines(tree, 15) == range(13, 17)
    assert statement_lines(tree, 10) == range(10, 11)
    assert statement_lines(tree, 5) is None
    assert statement_lines(tree, 8) is None


def mutant_at(line: int) -> Mutant:
    path = "tocsin/kernels/segments.py"
    return Mutant("kernels", path, "f", line, "NumberReplacer", 0, "x = 1", "1", "2")


def test_the_tests_of_the_own_folder_come_first_and_the_quickest_of_them() -> None:
    near, far = "tests/kernels/test_a.py::", "tests/steps/test_b.py::"
    seconds = {near + "slow": 9.0, near + "quick": 1.0, far + "quick": 0.1, far + "endless": 55.0}
    path = mutant_at(1).path
    lines = {path: {line: [*seconds, near + "fails"] for line in range(1, 60)}}
    found = Selection(lines, seconds).tests_of(mutant_at(1))
    assert found == [near + "quick", near + "slow", far + "quick"]


def test_the_page_counts_and_names_survivors(tmp_path: Path) -> None:
    trials = [
        Trial(mutant_at(1), "killed", 3, "tests/a.py::b", 1.0),
        Trial(mutant_at(2), "out of time", 3, "", 1.0),
        Trial(mutant_at(3), "survived", 3, "", 1.0),
        Trial(mutant_at(4), "not run", 0, "", 0.0),
    ]
    save(trials, tmp_path / "seed.json")
    assert load(tmp_path / "seed.json") == trials
    assert share(trials) == 0.5
    written = page({7: trials})
    assert "Seed 7: 50.0% of 4" in written
    assert "| kernels | 4 | 1 | 1 | 1 | 1 |" in written
    assert written.count("no reason yet") == 2


def test_every_reason_is_about_code_that_exists() -> None:
    root = Path(__file__).parents[2]
    for path, _, text, before, after in reasons():
        assert text in (root / path).read_text("utf-8"), f"{path}: {text} is gone: drop its reason"
        assert before != after
