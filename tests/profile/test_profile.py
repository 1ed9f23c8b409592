"""A profile's parts add up to the processor time, and its flame graph shows the same times."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tocsin.foundation.failure import Failure
from tocsin.profile import stacks
from tocsin.profile.attribution import _FRAMES, java_seconds_by_part, part_of, seconds_by_part
from tocsin.profile.flame_graph import flame_graph
from tocsin.profile.process import profiled
from tocsin.profile.stacks import Stack, folded, weighed
from tocsin.profile.threads import Thread, ThreadTimes, threads_of

ROOT = Path(__file__).parents[2]
RECORDS, CONSUMER = "tocsin/kernels/avro/records.py", "tocsin/kafka/consumer.py"
MAIN, READER = "thread (11): MainThread", "thread (12): reader"
LINES = f"""\
{MAIN};main (app.py:3);Records.decode ({RECORDS}:10);take (pyarrow/compute.py:400) 30
{MAIN};main (app.py:4);Records.decode ({RECORDS}:12);take (pyarrow/compute.py:401) 10
{MAIN};main (app.py:9);Condition.wait (threading.py:320) 500
{READER};Thread.run (threading.py:9);ColumnarConsumer.consume ({CONSUMER}:120) 20
no thread at all 7
thread (11): job_0;
"""


def test_stacks_that_differ_in_line_numbers_only_are_added_up() -> None:
    assert folded(LINES.splitlines()) == [
        Stack(
            11,
            (
                "main (app.py)",
                "Records.decode (tocsin/kernels/avro/records.py)",
                "take (pyarrow/compute.py)",
            ),
            40,
        ),
        Stack(11, ("main (app.py)", "Condition.wait (threading.py)"), 500),
        Stack(
            12,
            ("Thread.run (threading.py)", "ColumnarConsumer.consume (tocsin/kafka/consumer.py)"),
            20,
        ),
    ]


def test_waiting_stacks_have_no_weight_and_threads_of_c_libraries_have_theirs() -> None:
    threads = {
        11: Thread("MainThread", 4.0),
        12: Thread("reader", 1.0),
        13: Thread("rdk:broker1", 0.5),
        14: Thread("odd", 0.25),
    }
    weights = weighed(folded(LINES.splitlines()), threads)
    assert seconds_by_part(weights, 6.0) == {
        "decode": 4.0,
        "consume": 1.5,
        "rest": 0.25,
        "threads that had ended": 0.25,
    }


def test_the_innermost_known_frame_decides_the_part() -> None:
    frames = (
        "SdkWorker.process_bundle (apache_beam/runners/worker/sdk_worker.py)",
        "WindowOperator.fold (tocsin/steps/aggregate/window_operator.py)",
    )
    assert part_of(Stack(1, frames, 1)) == "window split and partial aggregate"
    assert part_of(Stack(1, frames[:1], 1)) == "Beam"
    assert part_of(Stack(1, ("f (somewhere.py)",), 1)) == "rest"


def test_every_file_and_folder_that_decides_a_part_exists() -> None:
    ours = [mark for _, marks in _FRAMES for mark in marks if "/" in mark]
    folders = [ROOT / "tocsin", ROOT / "tocsin" / "engines", ROOT, ROOT / "transforms"]
    libraries = {"apache_beam/", "grpc/", "llvmlite/", "numba/"}
    missing = [mark for mark in ours if not any((folder / mark).exists() for folder in folders)]
    assert set(missing) <= libraries, set(missing) - libraries


def test_threads_of_flink_go_to_their_parts() -> None:
    names = [
        "GC Thread#0",
        "C1 CompilerThre",
        "AsyncOperations",
        "grpc-default-wo",
        "[1]Aggregate/Ke",
        "flink-pekko.act",
    ]
    threads = {number: Thread(name, 1.0) for number, name in enumerate(names)}
    found = java_seconds_by_part(threads, 7.5)
    assert found == {
        "JVM: garbage collection": 1.0,
        "JVM: compilation": 1.0,
        "checkpoints": 1.0,
        "gRPC in Flink": 1.0,
        "Flink: operators": 1.0,
        "Flink: rest": 1.0,
        "threads that had ended": 1.5,
    }


def test_the_width_of_a_box_in_a_flame_graph_is_its_time() -> None:
    weights = [(Stack(1, ("a", "b <c>"), 1), 3.0), (Stack(1, ("a",), 1), 1.0)]
    root = ET.fromstring(flame_graph(weights, "both & all"))
    space = "{http://www.w3.org/2000/svg}"
    titles = [title.text or "" for title in root.iter(f"{space}title")]
    assert [title.partition(":")[0] for title in titles] == ["all", "a", "b <c>"]
    widths = [
        float(box.get("width", "0"))
        for group in root.iter(f"{space}g")
        for box in group.findall(f"{space}rect")
    ]
    assert widths[1] == widths[0]
    assert abs(widths[2] / widths[0] - 0.75) < 0.01
    assert ET.fromstring(flame_graph([], "nothing")).tag == f"{space}svg"


def spin(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        math.sqrt(2.0)


def test_a_thread_that_has_ended_is_counted() -> None:
    assert os.getpid() in threads_of(os.getpid())
    times = ThreadTimes(os.getpid(), pause=0.02)
    times.start()
    thread = threading.Thread(target=spin, args=(0.8,))
    thread.start()
    thread.join()
    # Time after the last look is unknown, and a busy machine looks late.
    assert sum(one.seconds for one in times.stop().values()) >= 0.3


def test_the_parts_of_a_profile_of_this_process_add_up() -> None:
    with profiled("spinning") as profile:
        spin(1.0)
    assert profile.total >= 1.0
    assert abs(sum(profile.parts.values()) - profile.total) < 1e-6
    assert "spin" in profile.flame


def test_without_py_spy_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks.shutil, "which", lambda *_args, **_more: None)
    with pytest.raises(Failure, match="needs py-spy"), profiled("nothing"):
        pass


def test_run_writes_a_profile(tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests" / "errors" / "readings.parquet", tmp_path / "readings.parquet")
    job = tmp_path / "job.yaml"
    job.write_text(
        "pipeline:\n  type: chain\n  transforms:\n"
        "    - {type: ReadFiles, config: {files: readings.parquet, event_time: at}}\n"
        "    - {type: Aggregate, config: {every: 1 min, by: [sensor], measures: {n: count()}}}\n"
    )
    command = [
        sys.executable,
        "-m",
        "tocsin",
        "run",
        str(job),
        "--profile",
        str(tmp_path / "profile"),
    ]
    found = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert found.returncode == 0, found.stderr
    assert "processor seconds" in found.stderr
    assert (tmp_path / "profile" / "flame.svg").read_text().startswith("<svg")
