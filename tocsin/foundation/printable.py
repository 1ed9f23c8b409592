"""Text of others, made safe to show: a terminal obeys the control characters that it is given."""

from __future__ import annotations

import re

# Controls, except tab and line feed; marks that change the direction of text; line separators;
# halves of surrogate pairs; the byte order mark.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff]"
)
_BREAKS = {ord("\t"): "\\u0009", ord("\n"): "\\u000a"}


def printable(text: str) -> str:
    r"""The text with control characters as `\u001b`. Tabs and line feeds stay.

    A control in a JSON string becomes its escape, so JSON keeps its meaning.
    """
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def one_line(text: str) -> str:
    """`printable` for a cell of a table: tabs and line feeds are escaped, too."""
    return printable(text).translate(_BREAKS)
