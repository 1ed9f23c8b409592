"""The language of the project: no banned phrase in prose, and the terms of the glossary only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shape.prose import ROOT, has_prose, prose_lines, prose_of

PHRASES = Path(__file__).with_name("banned_phrases.txt")
FOLDERS = [
    ".github", "benchmarks", "changelog.d", "docs", "infra", "jobs", "tests", "tocsin",
    "transforms",
]  # fmt: skip
# They quote the phrases that they ban.
QUOTING = {"tests/shape/test_language.py", "docs/glossary.md"}


def phrases() -> list[tuple[re.Pattern[str], str]]:
    """Each banned pattern, with what to write instead."""
    lines = PHRASES.read_text("utf-8").splitlines()
    pairs = [line.rsplit("  # ", 1) for line in lines if line and not line.startswith("#")]
    return [(re.compile(pattern.rstrip()), instead) for pattern, instead in pairs]


def files() -> Iterator[Path]:
    """The files whose prose is searched."""
    paths = [*ROOT.glob("*.md"), ROOT / "Makefile", ROOT / "pyproject.toml"]
    for folder in FOLDERS:
        paths += (ROOT / folder).rglob("*")
    for path in sorted(paths):
        name = str(path.relative_to(ROOT))
        if path.is_file() and has_prose(path) and name not in QUOTING:
            yield path


def found(text: str) -> list[str]:
    """What to write instead of the banned phrases of a text."""
    return [
        f"{match.group(0)!r}: {instead}"
        for pattern, instead in phrases()
        for match in pattern.finditer(text)
    ]


@pytest.mark.parametrize("path", list(files()), ids=lambda path: str(path.relative_to(ROOT)))
def test_prose_has_no_banned_phrase(path: Path) -> None:
    wrong = [
        f"{piece.file}:{piece.line}: {one}" for piece in prose_of(path) for one in found(piece.text)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "sentence",
    [
        "A mistake is told with its place.",
        "Rows are kept apart, as they come from another topic.",
        "The column stands beside the value.",
        "The job goes on with what has come.",
        "The list is written anew.",
        "A window starts every so often, so many times.",
        "Of a sensor, of one that never spoke and of the whole feed are three alarms.",
        "What is late goes to an output of its own.",
        "Where there is none, the row is dropped.",
        "Units are said of columns.",
    ],
)
def test_the_old_style_is_found(sentence: str) -> None:
    assert found(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "The job runs as long as its topic has messages.",
        "A class stands in for another.",
        "`tocsin doctor` shows what is installed.",
        "Results are the same, as in a replay.",
        "What is a watermark?",
    ],
)
def test_plain_sentences_pass(sentence: str) -> None:
    assert found(sentence) == []


def synonyms() -> dict[str, str]:
    """Each word that the glossary forbids, with the term to use."""
    rows = (ROOT / "docs/glossary.md").read_text("utf-8").splitlines()
    cells = [
        [cell.strip() for cell in row.strip("|").split("|")] for row in rows if row.startswith("|")
    ]
    return {word.strip(): term for term, _, words in cells for word in words.split(",")}


def test_the_documentation_uses_the_terms_of_the_glossary() -> None:
    forbidden = {w: t for w, t in synonyms().items() if w and w != "not" and w.strip("-")}
    assert len(forbidden) > 20
    wrong = [
        f"{piece.file}:{piece.line}: {word!r}; the term is {term!r}"
        for path in files()
        if path.suffix == ".md"
        for piece in prose_of(path)
        for word, term in forbidden.items()
        if re.search(rf"\b{re.escape(word)}s?\b", piece.text, re.IGNORECASE)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_glossary_defines_each_term_once() -> None:
    text = (ROOT / "docs/glossary.md").read_text("utf-8")
    rows = re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE)
    terms = [one for row in rows for one in row.split(", ") if row != "term"]
    assert len(terms) == len(set(terms))
    assert len(terms) > 60


def test_lines_of_markdown_have_up_to_100_columns() -> None:
    """Except tables, commands, comments, and lines that a link makes long."""
    pages = [path for path in files() if path.suffix == ".md"]
    assert len(pages) > 40
    long = [
        f"{page.relative_to(ROOT)}:{number}"
        for page in pages
        for number, line in prose_lines(page.read_text("utf-8"))
        if len(line) > 100 and not line.startswith(("|", "`", "<!--")) and "](" not in line
    ]
    assert long == []
