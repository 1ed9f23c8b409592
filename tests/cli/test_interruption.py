"""Ctrl-C at moments that are easily forgotten."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.packages import ROOT, command_environment, run_command
from tocsin.cli import demo_verb


def test_ctrl_c_during_the_imports_is_a_sentence(tmp_path: Path) -> None:
    """A module that the command imports raises what Ctrl-C raises."""
    (tmp_path / "cyclopts.py").write_text("raise KeyboardInterrupt", "utf-8")
    done = run_command("list", site=tmp_path)
    assert (done.returncode, done.stderr) == (130, "tocsin: interrupted\n")


def test_a_demo_interrupted_while_it_clears_the_folder_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    (tmp_path / "lake").mkdir()
    (tmp_path / "labels.parquet").touch()
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", interrupt)
        with pytest.raises(KeyboardInterrupt):
            demo_verb._clear(tmp_path)
    assert demo_verb._is_free(tmp_path)
    demo_verb._clear(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [demo_verb._MARK]


def test_a_folder_that_no_demo_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    assert not demo_verb._is_free(tmp_path)
    assert demo_verb.demo(to=tmp_path) == 2
    assert (tmp_path / "thesis.txt").exists()


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")],
)
def test_a_signal_is_a_sentence_and_leaves_no_half_file(
    number: signal.Signals, code: int, word: str, tmp_path: Path
) -> None:
    arguments = ["simulate", "--to", tmp_path / "deep" / "air.parquet", "--duration", "400 d"]
    running = subprocess.Popen(
        [sys.executable, "-m", "tocsin", *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
        env=command_environment(ROOT),
    )
    while not any(tmp_path.glob("deep/.*")) and running.poll() is None:
        time.sleep(0.05)
    running.send_signal(number)
    _, said = running.communicate(timeout=60)
    assert (running.returncode, said.partition(";")[0]) == (code, f"tocsin: {word}")
    assert list((tmp_path / "deep").iterdir()) == []
