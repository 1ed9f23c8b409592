"""The unit for systemd is valid, and runs a command that the product has."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.cluster.settings import INFRA

UNIT = INFRA / "service" / "tocsin@.service"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    copy = tmp_path / "tocsin@.service"
    copy.write_text(UNIT.read_text().replace("/opt/tocsin/bin/tocsin", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_unit_and_the_container_run_options_that_exist() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tocsin", "run", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    known = set(re.findall(r"--[a-z]+", done.stdout))
    for file in (UNIT, INFRA / "service" / "entrypoint.sh"):
        (line,) = re.findall(r"tocsin run (.*)", file.read_text())
        used = set(re.findall(r"--[a-z]+", line))
        assert {"--live", "--checkpoint"} <= used <= known
