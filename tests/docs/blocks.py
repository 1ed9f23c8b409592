"""Code blocks of the documentation, with what the page says about each.

A comment before a block, invisible on the page, says what the block is:
`<!-- example: fragment of NAME -->` steps to put into tests/docs/wrappers/NAME.yaml;
`<!-- example: file PATH -->` a file that a tutorial writes;
`<!-- example: not run: REASON -->` a block that no test can run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("infra/*.md"),
     *ROOT.glob("benchmarks/*.md"), *ROOT.glob("changelog.d/*.md")]
)  # fmt: skip
_BLOCK = re.compile(
    r"(?:<!-- example: (?P<marker>[^\n]*) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)```", re.DOTALL
)


class Block(NamedTuple):
    """A code block. line: of its first line in the page. marker: the comment before it, or ""."""

    page: Path
    line: int
    language: str
    marker: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """The code blocks of a page."""
    content = page.read_text("utf-8")
    for match in _BLOCK.finditer(content):
        line = content.count("\n", 0, match.start("text")) + 1
        yield Block(page, line, match["language"], match["marker"] or "", match["text"])


def all_blocks(*languages: str) -> list[Block]:
    """The blocks of all pages in these languages."""
    return [one for page in PAGES for one in blocks(page) if one.language in languages]
