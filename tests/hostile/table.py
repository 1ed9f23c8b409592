"""The table of tricks: rows of YAML, and the job that each makes."""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROWS = Path(__file__).with_name("rows")
READ = "{type: ReadFiles, config: {files: readings.parquet, event_time: observed_at}}"
_REPEATED = re.compile("«(\\d+)\u00d7(.*?)»", re.DOTALL)


@dataclass(frozen=True)
class Trick:
    """One row.

    Attributes:
        name: what the trick is.
        kind: the file that has the row.
        job: the whole job; or instead `source` and `steps` of a chain, and `top`: other keys.
        refused: a part of the sentence with which every verb refuses the job.
        fails: a part of the sentence with which `run` ends; other verbs may end well.
        prints: what `run` or `test` must have printed, for a job that is harmless.
        file: the name of the job file.
        files, links, environment: what is planted, by path or name.
    """

    name: str
    kind: str
    job: Any = None
    source: str = READ
    steps: list[str] = field(default_factory=list)
    top: str = ""
    refused: str | None = None
    fails: str | None = None
    prints: str | None = None
    file: str = "job.yaml"
    files: dict[str, Any] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def text(self, places: dict[str, str]) -> bytes:
        """The job file. places: the text for each `@NAME@`."""
        if self.job is not None:
            return content(self.job, places)
        steps = "\n".join(f"    - {step}" for step in [self.source, *self.steps])
        return content(f"pipeline:\n  type: chain\n  transforms:\n{steps}\n{self.top}", places)


def tricks() -> list[Trick]:
    """All rows of the table."""
    return [
        Trick(kind=path.stem, **row)
        for path in sorted(ROWS.glob("*.yaml"))
        for row in yaml.safe_load(path.read_text("utf-8"))
    ]


def content(value: Any, places: dict[str, str]) -> bytes:
    """The bytes of a file: text, {text, encoding}, {hex}, or {zeros}: compressed.

    In a text, `«3`, a multiplication sign and `x»` are xxx; `@NAME@` is a place of the world.
    """
    if isinstance(value, dict) and "hex" in value:
        return bytes.fromhex(value["hex"])
    if isinstance(value, dict) and "zeros" in value:
        return _zeros(value["zeros"])
    text = value["text"] if isinstance(value, dict) else value
    encoding = value.get("encoding", "utf-8") if isinstance(value, dict) else "utf-8"
    for name, place in places.items():
        text = text.replace(f"@{name}@", place)
    while _REPEATED.search(text):
        text = _REPEATED.sub(lambda found: found[2] * int(found[1]), text)
    return bytes(text.encode(encoding, "surrogatepass"))


def _zeros(size: int) -> bytes:
    """That many bytes of zeros, a multiple of a mebibyte, as members of gzip."""
    return gzip.compress(bytes(1 << 20)) * (size >> 20)
