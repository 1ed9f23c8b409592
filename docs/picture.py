"""Draw docs/demo.svg from the lake of `make demo`: a series with a spike, and its alarm.

python docs/picture.py demo-output
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
from pyarrow import parquet

WIDTH, HEIGHT, LEFT, BOTTOM = 760, 240, 46, 30


def main(folder: Path) -> None:
    """Write the picture."""
    label = next(
        row
        for row in parquet.read_table(folder / "labels.parquet").to_pylist()
        if row["kind"] == "spike"
    )
    glob = folder / "lake/air_quality/**/*.parquet"
    rows = duckdb.execute(
        "select epoch(window_end), mean, min, max from read_parquet(?, hive_partitioning = true)"
        " where sensor_id = ? and metric = ? and revision = 0 order by window_end",
        [str(glob), label["sensor_id"], label["metric"]],
    ).fetchall()
    first, last, top = rows[0][0], rows[-1][0], max(row[3] for row in rows) * 1.1

    def x(time: float) -> float:
        return LEFT + (time - first) / (last - first) * (WIDTH - LEFT - 10)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - value / top * (HEIGHT - BOTTOM - 30)

    start, end = label["start"].timestamp(), label["end"].timestamp()
    band = " ".join(f"{x(t):.1f},{y(hi):.1f}" for t, _, _, hi in rows)
    band += " " + " ".join(f"{x(t):.1f},{y(lo):.1f}" for t, _, lo, _ in reversed(rows))
    line = " ".join(f"{x(t):.1f},{y(mean):.1f}" for t, mean, _, _ in rows)
    ticks = "".join(
        f'<text x="{x(first + m * 60):.0f}" y="{HEIGHT - 10}" class="t">{m} min</text>'
        for m in range(0, 60, 10)
    ) + "".join(
        f'<text x="6" y="{y(v) + 4:.0f}" class="t">{v:.0f}</text>'
        for v in (0, top / 2.2, top / 1.1)
    )
    series = f"{label['metric']} of {label['sensor_id']}"
    title = f"{series}: one-minute mean, smallest to greatest; the injected spike is shaded"
    view = f'viewBox="0 0 {WIDTH} {HEIGHT}"'
    width, height = x(end) - x(start), HEIGHT - BOTTOM - 28
    svg = f"""<svg xmlns="http://www.w3.org/2000/svg" {view} font-family="sans-serif">
<style>.t{{font-size:11px;fill:#667}}</style><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>
<text x="{LEFT}" y="18" font-size="13" fill="#223">{title}</text>
<rect x="{x(start):.1f}" y="28" width="{width:.1f}" height="{height}" fill="#fde3cf"/>
<polygon points="{band}" fill="#bcd3ee" opacity="0.7"/>
<polyline points="{line}" fill="none" stroke="#1f5fa8" stroke-width="1.6"/>
{ticks}</svg>"""
    (Path(__file__).parent / "demo.svg").write_text(svg, "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
