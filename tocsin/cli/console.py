"""The command's output: results to standard output, everything else to standard error.

Names and values come from sensors, topics and jobs, so control characters are shown escaped.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from tocsin.foundation.printable import one_line, printable

DONE, FAILED, WRONG, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143


def complain(sentence: str, *, plain: bool = False) -> None:
    """Print one sentence about a mistake or a failure."""
    shown = printable(sentence)
    sys.stderr.write(f"{shown}\n" if plain else f"tocsin: {shown}\n")


def say(text: str = "") -> None:
    """Print a line of the result."""
    sys.stdout.write(f"{printable(text)}\n")


def note(text: str) -> None:
    """Print progress, for a person."""
    sys.stderr.write(f"{printable(text)}\n")


def show_json(value: Any) -> None:
    """Print the result for a script."""
    say(json.dumps(value, indent=2, default=str, ensure_ascii=False))


def table(headers: list[str], rows: list[list[Any]], *, right: tuple[int, ...] = ()) -> str:
    """A plain text table. Columns whose index is in `right` are aligned to the right."""
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
    return f"{cell:.4g}" if isinstance(cell, float) else one_line(str(cell))
