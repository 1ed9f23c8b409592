"""The verdict finds each thing that no hostile job may do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.hostile import verdict
from tests.hostile.world import CANARIES, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    return World(tmp_path / "world", temporary)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("two lines\n\tand a tab", []),
        (f"a {CANARIES[0]} b", [f"prints {CANARIES[0]}"]),
        ("a\x1b[2J", ["prints control characters: U+001B"]),
        ("a\r\u202e", ["prints control characters: U+000D, U+202E"]),
        ("Traceback (most recent call last):", ["prints a traceback"]),
        ("x" * 20_001, ["prints 20,001 characters"]),
    ],
)
def test_text(text: str, found: list[str]) -> None:
    assert verdict.wrong_text(text) == found


def test_events(world: World) -> None:
    good = [
        ["connect", "('127.0.0.1', 4711)"],
        ["read", str(world.project / "readings.parquet")],
        ["write", str(world.project / "lake" / "a")],
        ["write", str(world.temporary / "a")],
        ["write", "/dev/null"],
    ]
    assert not list(verdict.wrong_events(good, world, ["4711"]))
    private = str(world.outside / "private.parquet")
    bad = [
        ["connect", "('127.0.0.1', 4712)"],
        ["start", "/bin/sh"],
        ["read", private],
        ["read", "/proc/1/environ"],
        ["read", "/etc/shadow"],
        ["write", private],
        ["write", "/etc/motd"],
    ]
    assert list(verdict.wrong_events(bad, world, ["4711"])) == [
        "connects to ('127.0.0.1', 4712)",
        "starts /bin/sh",
        f"reads {private}",
        "reads /proc/1/environ",
        "reads /etc/shadow",
        f"writes {private}",
        "writes /etc/motd",
    ]


def test_files(world: World) -> None:
    assert not list(verdict.wrong_files(world))
    (world.project / "a.txt").write_text(f"a {CANARIES[0]}", "utf-8")
    parquet.write_table(pa.table({"x": [CANARIES[1]]}), world.project / "b.parquet")
    assert sorted(verdict.wrong_files(world)) == [
        f"writes {CANARIES[0]} into {world.project / 'a.txt'}",
        f"writes {CANARIES[1]} into {world.project / 'b.parquet'}",
    ]


@pytest.mark.parametrize(
    ("result", "is_wrong"),
    [
        ({"processor": 4.9, "wall": 59.0}, False),
        ({"processor": 5.1, "wall": 6.0}, True),
        ({"processor": 0.1, "wall": 61.0}, True),
    ],
)
def test_effort(result: dict[str, Any], is_wrong: bool) -> None:
    assert bool(list(verdict.wrong_effort(result))) == is_wrong
