"""The tutorial, run as a reader runs it: its files written, its commands typed, its output read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.docs.blocks import ROOT, blocks


def test_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "200",
    }
    printed, compared = "", 0
    for block in blocks(ROOT / "docs/tutorial.md"):
        if block.language == "yaml":
            file = tmp_path / block.marker.removeprefix("file ")
            assert file.parent.is_dir(), "the page makes the folder first"
            file.write_text(block.text, "utf-8")
        elif block.language == "sh":
            done = subprocess.run(
                ["bash", "-c", block.text],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            printed = done.stdout + done.stderr
            assert done.returncode == 0, printed
        else:
            lines = {line.rstrip() for line in printed.splitlines()}
            for line in block.text.splitlines():
                assert line.rstrip() in lines, f"{block}: {line}\n{printed}"
                compared += 1
    assert compared > 15
