"""What another process may do to a live job: never more than its folder allows."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.cli.embedded_status import embedded_status
from tocsin.cli.status_verb import status
from tocsin.engines.embedded.checkpoint_store import LOCK, CheckpointStore
from tocsin.engines.embedded.other_process import is_in_use, save, status_of, stop
from tocsin.engines.embedded.watching import STATUS
from tocsin.foundation.failure import Failure

GOOD: dict[str, Any] = {
    "job": "j",
    "process": 7,
    "state": "RUNNING",
    "began": 1.0,
    "at": 2.0,
    "steps": ["Read"],
    "checkpoints": {"completed": 1, "failed": 0, "at": 2.0, "size": 1, "written": 1, "duration": 1},
    "splits": [{"step": "Read", "partition": 0, "position": 3, "lag": None, "watermark": 5}],
    "counts": {"Read": {"read": 3, "kept": 3}},
    "watermark": 5,
}
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
)


def fill(folder: Path, lock: str, content: Any = GOOD) -> int:
    """A folder with a status, whose lock this process has. The open lock."""
    (folder / STATUS).write_text(json.dumps(content))
    (folder / LOCK).write_text(lock)
    opened = os.open(folder / LOCK, os.O_RDWR)
    fcntl.flock(opened, fcntl.LOCK_EX)
    return opened


@pytest.fixture
def foreign() -> Iterator[Any]:
    """A process that has nothing to do with a job."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def test_a_process_that_has_not_the_lock_is_never_stopped(foreign: Any, tmp_path: Path) -> None:
    opened = fill(tmp_path, f"{foreign.pid}\n")
    with pytest.raises(Failure, match="stop the job where it runs"):
        stop(tmp_path, "j")
    time.sleep(0.1)
    assert foreign.poll() is None
    os.close(opened)
    assert not stop(tmp_path, "j")


@pytest.mark.parametrize("text", ["", "0", "-1", "1e3", "\u00b2", "99999999999", "0007", "1\x002"])
def test_a_lock_that_names_no_process_stops_none(text: str, tmp_path: Path) -> None:
    before = signal.signal(signal.SIGTERM, lambda *_: pytest.fail("stopped"))
    opened = fill(tmp_path, text)
    with pytest.raises(Failure, match="stop the job where it runs"):
        stop(tmp_path, "j")
    os.close(opened)
    signal.signal(signal.SIGTERM, before)


@given(name=st.sampled_from(sorted(GOOD)), value=ANY)
def test_a_strange_status_is_shown_or_refused(
    name: str, value: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("x")
    (folder / STATUS).write_text(json.dumps({**GOOD, name: value}))
    try:
        embedded_status(folder)
    except Failure:
        return
    for as_json in (False, True):
        assert status(checkpoint=folder, json=as_json) == 0


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"[]", b"{}", b"[" * 100_000])
def test_a_damaged_status_is_refused(text: bytes, tmp_path: Path) -> None:
    (tmp_path / STATUS).write_bytes(text)
    with pytest.raises(Failure, match="is damaged"):
        status_of(tmp_path)


def test_looking_at_a_folder_does_not_keep_its_job_from_starting(tmp_path: Path) -> None:
    CheckpointStore(tmp_path).close()
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            is_in_use(tmp_path)

    thread = threading.Thread(target=look)
    thread.start()
    for _ in range(200):
        CheckpointStore(tmp_path).close()
    over.set()
    thread.join()


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_copy_to_a_file_is_refused(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(Failure, match="cannot write to"):
        save(tmp_path, tmp_path / place, "j")
    assert (tmp_path / "file").read_text() == "mine"
