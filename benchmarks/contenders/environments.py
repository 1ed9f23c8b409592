"""Python environments of contenders that cannot share ours, made once next to the downloads."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.topics import BROKER
from infra.cluster.settings import versions


@dataclass(frozen=True)
class Environment:
    """An environment. name: of its folder. packages: with their versions."""

    name: str
    packages: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where it is, next to the downloads."""
        return BROKER.tools / self.name

    @property
    def python(self) -> Path:
        """Its interpreter; `fetch` makes it."""
        return self.folder / "bin" / "python"

    def fetch(self) -> None:
        """Make it if it is missing. Raises CalledProcessError if a package cannot be fetched."""
        marker = self.folder / ".ready"
        if marker.exists() and marker.read_text() == str(self.packages):
            return
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(self.folder)], check=True)
        subprocess.run(
            [str(self.python), "-m", "pip", "install", "--quiet", *self.packages], check=True
        )
        marker.write_text(str(self.packages))


PEERS = Environment(
    "peers",
    (
        "bytewax==0.21.1",
        "quixstreams[avro]==3.28.1",
        "fastavro==1.13.1",
        "pyarrow==26.0.1",
        "pyruhvro==0.4.0",
    ),
)
PYFLINK = Environment(
    f"pyflink-{versions()['FLINK_VERSION']}", (f"apache-flink=={versions()['FLINK_VERSION']}",)
)
