"""What a trial did that no hostile job may do, as sentences."""

from __future__ import annotations

import os
import re
import site
import sys
import sysconfig
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from tests.hostile.world import CANARIES, World
from tests.support.packages import ROOT
from tocsin.kernels import machine_folder

SECONDS = 5
# What waits for nothing may still wait for other processes of a busy machine.
WALL_SECONDS = 60
PLACE = re.compile(r"^[^\n]+?:\d+:\d+: ", re.MULTILINE)
_BIDIRECTIONAL = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
_INSTALLED = [
    ROOT, sys.prefix, sys.base_prefix, *site.getsitepackages(), sysconfig.get_paths()["stdlib"],
    "/usr", "/lib", "/lib64", "/dev", "/sys", "/etc/localtime", "/etc/mime.types",
    "/etc/httpd/mime.types", "/etc/ssl", "/proc/self", "/proc/cpuinfo", "/proc/meminfo",
    "/proc/stat", "/proc/sys",
]  # fmt: skip


def is_under(path: str, folders: list[Any]) -> bool:
    """Whether a path is in one of the folders, links not resolved."""
    return any(Path(path).is_relative_to(folder) for folder in folders)


def wrong_text(text: str) -> list[str]:
    """Control characters and canaries in an output."""
    found = [f"prints {one}" for one in CANARIES if one in text]
    controls = {
        f"U+{ord(one):04X}"
        for one in text
        if one not in "\t\n"
        and (
            unicodedata.category(one) in ("Cc", "Zl", "Zp", "Cs")
            or unicodedata.bidirectional(one) in _BIDIRECTIONAL
        )
    }
    if controls:
        found.append(f"prints control characters: {', '.join(sorted(controls))}")
    if "Traceback (most recent call last)" in text:
        found.append("prints a traceback")
    if len(text) > 20_000:
        found.append(f"prints {len(text):,} characters")
    return found


def wrong_events(events: list[list[str]], world: World, allowed: list[str]) -> Iterator[str]:
    """Reads, writes, connections and processes beyond the world of the job."""
    temporary = [world.temporary, world.results, machine_folder.root()]
    for kind, subject in events:
        outside = is_under(subject, [world.outside]) or subject.endswith("/environ")
        if kind == "connect" and not any(one in subject for one in allowed):
            yield f"connects to {subject}"
        elif kind == "start":
            yield f"starts {subject}"
        elif kind == "write" and (outside or not is_under(subject, [world.project, *temporary])):
            if subject != "/dev/null":
                yield f"writes {subject}"
        elif kind == "read":
            here = [world.root, *_INSTALLED, *temporary]
            ours = subject == os.sep or subject in map(str, world.root.parents)
            if outside or not (ours or is_under(subject, here)):
                yield f"reads {subject}"


def wrong_files(world: World) -> Iterator[str]:
    """Files of the project that hold a canary, compressed Parquet included."""
    for path in world.project.rglob("*"):
        if path.is_symlink() or not path.is_file():
            continue
        text = path.read_bytes().decode("utf-8", "replace")
        if path.suffix == ".parquet":
            with suppress(pa.ArrowException):  # a damaged file was planted
                table = parquet.ParquetFile(path).read()
                text += f"{table.schema.metadata} {table.to_pylist()}"
        yield from (f"writes {one} into {path}" for one in CANARIES if one in text)


def wrong_effort(result: dict[str, Any]) -> Iterator[str]:
    """A verb that ran too long."""
    if result["processor"] > SECONDS or result["wall"] > WALL_SECONDS:
        yield f"takes {result['processor']:.1f} s of processor time, {result['wall']:.1f} s in all"
