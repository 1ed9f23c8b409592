"""How the command speaks: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import sys
from typing import Any

DONE, FAILED, WRONG, INTERRUPTED = 0, 1, 2, 130


def complain(sentence: str, *, plain: bool = False) -> None:
    """One sentence about what is wrong."""
    print(sentence if plain else f"tocsin: {sentence}", file=sys.stderr)


def say(text: str = "") -> None:
    """A line of the result."""
    print(text)


def note(text: str) -> None:
    """Progress, for a person."""
    print(text, file=sys.stderr)


def show_json(value: Any) -> None:
    """The result for a script."""
    print(json.dumps(value, indent=2, default=str, ensure_ascii=False))


def table(headers: list[str], rows: list[list[Any]], *, right: tuple[int, ...] = ()) -> str:
    """A plain table; columns in `right` are aligned to the right."""
    texts = [[_text(cell) for cell in row] for row in rows]
    widths = [
        max(len(header), *(len(row[i]) for row in texts)) if texts else len(header)
        for i, header in enumerate(headers)
    ]
    lines = [headers, ["-" * width for width in widths], *texts]
    return "\n".join(
        "  ".join(
            cell.rjust(widths[i]) if i in right else cell.ljust(widths[i])
            for i, cell in enumerate(line)
        ).rstrip()
        for line in lines
    )


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int):
        return f"{cell:,}"
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)
