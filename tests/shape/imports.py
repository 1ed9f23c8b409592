"""The graph of imports, for the shape tests and `make map`.

`python -m tests.shape.imports` prints a table of the imports between folders. `--svg FILE`
draws it.
"""

from __future__ import annotations

import argparse
import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = sorted([*(ROOT / "tocsin").rglob("*.py"), *(ROOT / "transforms").rglob("*.py")])

# The layers that each layer may import. A line uses only the lines above it, so no circle exists.
_FOUNDATION = {"foundation"}
_KERNELS = {*_FOUNDATION, "kernels"}
_PARTS = {*_KERNELS, "parts"}
_CLIENTS = {*_PARTS, "kafka", "alarms"}
_TABLE = {*_KERNELS, "table"}
_STEPS = {*_CLIENTS, "steps"}
_COMPILER = {*_STEPS, "compiler"}
ALLOWED = {
    "foundation": _FOUNDATION,
    "kernels": {"kernels"},
    "parts": _PARTS,
    "kafka": {*_PARTS, "kafka"},
    "alarms": {*_PARTS, "alarms"},
    "table": _TABLE,
    "steps": _STEPS,
    "compiler": _COMPILER,
    "api": {*_STEPS, "table"},
    "transforms": {"api"},
    "project": _FOUNDATION,
    "laws": {*_STEPS, "laws"},
    "flink": {*_FOUNDATION, "flink"},
    "profile": {*_FOUNDATION, "profile"},
    "simulator": {*_KERNELS, "simulator"},
    "lake": {*_KERNELS, "kafka", "table", "lake"},
    "evaluation": {*_PARTS, "simulator", "evaluation"},
    "backtest": {*_COMPILER, "engines", "backtest"},
    "engines": {*_COMPILER, "flink", "engines"},
    "cli": {
        *_COMPILER,
        "laws",
        "simulator",
        "lake",
        "flink",
        "profile",
        "evaluation",
        "backtest",
        "engines",
        "cli",
    },
}


def layer(module: str) -> str:
    """The folder of a module: `tocsin.kernels.batch` is in `kernels`."""
    names = module.split(".")
    if names[0] == "transforms" or module.startswith("tocsin.transforms."):
        return "transforms"
    if module == "tocsin.__main__":
        return "cli"
    return names[1] if len(names) > 1 else names[0]


def module_of(path: Path) -> str:
    """The dotted name of a file."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in CODE}


def imported(path: Path) -> list[str]:
    """All modules that a file imports, also inside functions."""
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = (f"{node.module}.{name.name}" for name in node.names)
            found += [name if name in MODULES else node.module for name in names]
    return found


def graph() -> dict[str, set[str]]:
    """The modules of this repository, each with those that it imports."""
    return {
        name: {other for other in imported(path) if other in MODULES and other != name}
        for name, path in MODULES.items()
    }


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import one another (strongly connected components, Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(edges[name]):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1:
                found.append(sorted(group))

    for name in sorted(edges):
        if name not in index:
            visit(name)
    return found


def between(edges: dict[str, set[str]]) -> Counter[tuple[str, str]]:
    """The number of imports between each two folders."""
    pairs = ((layer(name), layer(other)) for name, others in edges.items() for other in others)
    return Counter(
        (here, there) for here, there in pairs if here != there and "tocsin" not in (here, there)
    )


def ranks() -> dict[str, int]:
    """The height of each folder: one more than that of the highest folder that it may import."""
    found: dict[str, int] = {}
    while len(found) < len(ALLOWED):
        for name, allowed in ALLOWED.items():
            below = allowed - {name}
            if name not in found and below <= set(found):
                found[name] = 1 + max((found[other] for other in below), default=-1)
    return found


def table(counts: Counter[tuple[str, str]]) -> str:
    """The imports between folders as text, the lowest folder first, with marked upward imports."""
    height = ranks()
    lines = []
    for here in sorted(height, key=lambda name: (height[name], name)):
        there = sorted(
            ((other, count) for (name, other), count in counts.items() if name == here),
            key=lambda one: (height[one[0]], one[0]),
        )
        texts = [
            f"{other} {count}" + (" UPWARDS" if height[other] >= height[here] else "")
            for other, count in there
        ]
        lines.append(f"{height[here]}  {here:<11} {', '.join(texts) or '-'}")
    return "\n".join(lines)


def _picture(counts: Counter[tuple[str, str]]) -> Iterator[str]:
    height = ranks()
    rows: dict[int, list[str]] = {}
    for name in sorted(height):
        rows.setdefault(height[name], []).append(name)
    wide, high, width = 112, 76, 960
    top = max(rows) * high + 40
    places = {
        name: (round((at + 1) * width / (len(names) + 1)), top - row * high)
        for row, names in rows.items()
        for at, name in enumerate(names)
    }
    box = f'viewBox="0 0 {width} {top + 40}" font-family="sans-serif"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {box}>'
    yield f'<rect width="{width}" height="{top + 40}" fill="white"/>'
    for (here, there), count in sorted(counts.items()):
        (x, y), (to_x, to_y) = places[here], places[there]
        colour = "#c0392b" if height[there] >= height[here] else "#7f8c8d"
        line = f'x1="{x}" y1="{y + 15}" x2="{to_x}" y2="{to_y - 15}"'
        thick = min(0.5 + count / 20, 4)
        yield f'<line {line} stroke="{colour}" stroke-width="{thick:.1f}" opacity="0.55"/>'
    for name, (x, y) in places.items():
        place = f'x="{x - wide // 2}" y="{y - 15}" width="{wide}" height="30" rx="5"'
        yield f'<rect {place} fill="#eaf2f8" stroke="#2c3e50"/>'
        yield f'<text x="{x}" y="{y + 5}" text-anchor="middle" font-size="14">{name}</text>'
    yield "</svg>"


def main() -> None:
    """Print the table, and draw the picture with --svg."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--svg", type=Path, help="write a picture of the imports to this file")
    arguments = parser.parse_args()
    edges = graph()
    counts = between(edges)
    print(table(counts))
    upwards = [pair for pair in counts if ranks()[pair[1]] >= ranks()[pair[0]]]
    print(f"{len(edges)} modules, {len(circles(edges))} circles, {len(upwards)} imports upwards")
    if arguments.svg is not None:
        arguments.svg.write_text("\n".join(_picture(counts)) + "\n", "utf-8")


if __name__ == "__main__":
    main()
