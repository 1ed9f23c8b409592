"""A profile's parts add up to what the process has used, and its flame graph is a picture of the same."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tocsin.foundation.failure import Failure
from tocsin.profile import stacks
from tocsin.profile.attribution import accounted, accounted_java, part_of
from tocsin.profile.flame_graph import flame_graph
from tocsin.profile.process import profiled
from tocsin.profile.stacks import Stack, folded, weighed
from tocsin.profile.threads import Thread, ThreadTimes, threads_of

ROOT = Path(__file__).parents[2]
LINES = """thread (11): MainThread;main (app.py:3);Records.decode (tocsin/kernels/avro/records.py:10);take (pyarrow/compute.py:400) 30
thread (11): MainThread;main (app.py:4);Records.decode (tocsin/kernels/avro/records.py:12);take (pyarrow/compute.py:401) 10
thread (11): MainThread;main (app.py:9);Condition.wait (threading.py:320) 500
thread (12): reader;Thread.run (threading.py:9);ColumnarConsumer.consume (tocsin/kafka/consumer.py:120) 20
no thread at all 7
thread (11): job_0;
"""


def test_lines_of_one_place_are_one_stack_whatever_their_numbers() -> None:
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


def test_waiting_weighs_nothing_and_threads_in_c_weigh_what_they_used() -> None:
    threads = {
        11: Thread("MainThread", 4.0),
        12: Thread("reader", 1.0),
        13: Thread("rdk:broker1", 0.5),
        14: Thread("odd", 0.25),
    }
    weights = weighed(folded(LINES.splitlines()), threads)
    assert accounted(weights, 6.0) == {
        "decode": 4.0,
        "consume": 1.5,
        "rest": 0.25,
        "threads that had ended": 0.25,
    }


def test_the_innermost_frame_that_is_known_says_the_part() -> None:
    frames = (
        "SdkWorker.process_bundle (apache_beam/runners/worker/sdk_worker.py)",
        "Windower.fold (tocsin/steps/aggregate/window_operator.py)",
    )
    assert part_of(Stack(1, frames, 1)) == "window split and partial aggregate"
    assert part_of(Stack(1, frames[:1], 1)) == "Beam"
    assert part_of(Stack(1, ("f (somewhere.py)",), 1)) == "rest"


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
    found = accounted_java(threads, 7.5)
    assert found == {
        "JVM: garbage collection": 1.0, "JVM: compilation": 1.0, "checkpoints": 1.0, "gRPC in Flink": 1.0, "Flink: operators": 1.0,
        "Flink: rest": 1.0, "threads that had ended": 1.5,
    }  # fmt: skip


def test_a_flame_graph_holds_each_frame_as_wide_as_it_weighs() -> None:
    weights = [(Stack(1, ("a", "b <c>"), 1), 3.0), (Stack(1, ("a",), 1), 1.0)]
    root = ElementTree.fromstring(flame_graph(weights, "both & all"))
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
    assert ElementTree.fromstring(flame_graph([], "nothing")).tag == f"{space}svg"


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
    # What it did after it was last looked at is not known; a machine that is busy looks late.
    assert sum(one.seconds for one in times.stop().values()) >= 0.3


def test_a_process_profiles_itself() -> None:
    with profiled("spinning") as profile:
        spin(1.0)
    assert profile.total >= 1.0
    assert abs(sum(profile.parts.values()) - profile.total) < 1e-6
    assert "spin" in profile.flame


def test_without_py_spy_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
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
