"""A flame graph: a box for each function, as wide as its time, callers above callees.

Source: Gregg: The flame graph (2016).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape

from tocsin.profile.attribution import part_of
from tocsin.profile.stacks import Stack

WIDTH, ROW = 1400.0, 17
_THINNEST, _LETTER = 0.4, 6.6


@dataclass
class _Node:
    seconds: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)
    children: dict[str, _Node] = field(default_factory=dict)


def flame_graph(weights: Iterable[tuple[Stack, float]], title: str) -> str:
    """The SVG. Each box has a tooltip with its seconds, its share and its part of the work."""
    root = _Node()
    for stack, seconds in weights:
        part = part_of(stack)
        node = root
        for frame in ("all", *stack.frames):
            node = node.children.setdefault(frame, _Node())
            node.seconds += seconds
            node.parts[part] = node.parts.get(part, 0.0) + seconds
    if not root.children:
        return _svg(title, 0, [])
    whole = root.children["all"]
    boxes: list[str] = []
    height = _draw(boxes, "all", whole, 0.0, WIDTH / (whole.seconds or 1.0), 0, whole.seconds)
    return _svg(f"{title}: {whole.seconds:.2f} processor seconds", height, boxes)


def _draw(
    boxes: list[str], name: str, node: _Node, x: float, scale: float, depth: int, whole: float
) -> int:
    """Draw a box and those below it; returns the number of rows."""
    width = node.seconds * scale
    if width < _THINNEST:
        return depth
    part = max(node.parts, key=lambda one: node.parts[one])
    tooltip = f"{name}: {node.seconds:.2f} s, {100 * node.seconds / (whole or 1.0):.1f} %, {part}"
    letters = int(width / _LETTER) - 1
    text = name if len(name) <= letters else f"{name[: letters - 1]}…" if letters > 3 else ""
    hue = zlib.crc32(part.encode()) % 360
    boxes.append(
        f'<g transform="translate({x:.1f} {depth * ROW})"><title>{escape(tooltip)}</title>'
        f'<rect width="{max(width - 0.3, 0.1):.1f}" height="{ROW - 1}" rx="2" '
        f'fill="hsl({hue} 65% 72%)"/>'
        f'<text x="3" y="12">{escape(text)}</text></g>'
    )
    deepest = depth + 1
    for child, inner in sorted(node.children.items(), key=lambda item: -item[1].seconds):
        deepest = max(deepest, _draw(boxes, child, inner, x, scale, depth + 1, whole))
        x += inner.seconds * scale
    return deepest


def _svg(title: str, rows: int, boxes: list[str]) -> str:
    height = rows * ROW + 30
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH:.0f}" height="{height}" '
        f'font-family="monospace" font-size="11">'
        f'<rect width="100%" height="100%" fill="white"/>'
        f'<text x="6" y="18" font-size="14">{escape(title)}</text>'
        f'<g transform="translate(0 28)">{"".join(boxes)}</g></svg>\n'
    )
