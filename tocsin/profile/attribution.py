"""Processor time by part of the work: a table whose parts add up to the whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tocsin.profile.stacks import Stack
from tocsin.profile.threads import Thread

# Innermost frames first: the first frame that has one of these in it says which part a stack belongs to.
_FRAMES = (
    ("consume", ("kafka/consumer.py", "read_telemetry.py", "kafka/librdkafka.py")),
    ("decode", ("kernels/avro/", "kafka/decoding.py")),
    ("event time and watermark", ("kernels/time/lateness.py", "engines/beam/io/source_dofn.py", "steps/state/progress.py")),
    ("window split and partial aggregate", (
        "WindowOperator.fold", "WindowOperator.route", "kernels/time/windows.py", "kernels/time/sessions.py", "_Route.",
    )),
    ("split by key", ("split_by_key",)),
    ("windows that fire", (
        "steps/aggregate/window_operator.py", "steps/aggregate/two_stacks.py", "steps/aggregate/pane_log.py",
    )),
    ("detection and alarms", (
        "steps/detect/scoring_operator.py", "transforms/detectors/", "steps/state/incremental_block.py", "kernels/state/keyed_block.py", "alert/",
    )),
    ("deduplication", ("steps/deduplicate/step.py", "kernels/state/key_index.py")),
    ("other transforms", ("transforms/clean/", "transforms/enrich/", "kernels/expressions/")),
    ("write", ("transforms/write/", "steps/write_files/file_operator.py", "kafka/producer.py", "kafka/transactions.py")),
    ("encode between steps", ("engines/beam/io/batch_coder.py",)),
    ("state", ("StateHandler", "RuntimeState", "UserStateContext", "statecache.py", "_Held.")),
    ("gRPC", ("grpc/", "data_plane.py", "log_handler.py")),
    ("imports and compilation", ("importlib", "numba/", "llvmlite/")),
    ("Beam", ("apache_beam/", "beam/")),
)  # fmt: skip
_THREADS = (
    ("consume", ("rdk:",)),
    ("gRPC", ("event_engine", "grpc", "lifeguard", "timer_manager")),
)
# Threads of Flink's processes.
_JAVA = (
    ("JVM: garbage collection", ("GC ", "G1 ", "VM Thread", "VM Periodic")),
    ("JVM: compilation", ("C1 Compiler", "C2 Compiler", "Sweeper")),
    ("checkpoints", ("AsyncOperations", "jobmanager-io", "Checkpoint")),
    ("gRPC in Flink", ("grpc-",)),
    ("Flink: operators", ("[",)),
    ("Flink: metrics", ("prometheus", "flink-metrics", "metrics")),
)
REST, REST_OF_FLINK = "rest", "Flink: rest"


def part_of(stack: Stack) -> str:
    """Which part of the work a stack of ours belongs to."""
    name = stack.frames[0] if stack.frames else ""
    if len(stack.frames) == 1 and name.startswith("["):
        return next((part for part, heads in _THREADS if name[1:].startswith(heads)), REST)
    for frame in reversed(stack.frames):
        for part, marks in _FRAMES:
            if any(mark in frame for mark in marks):
                return part
    return REST


def part_of_java(thread: Thread) -> str:
    """Which part of Flink's work a thread does."""
    return next((part for part, heads in _JAVA if thread.name.startswith(heads)), REST_OF_FLINK)


def accounted(weights: Iterable[tuple[Stack, float]], total: float) -> dict[str, float]:
    """Processor seconds by part, greatest first. total: what the process has used; what no thread was seen to use is a part."""
    return _summed(((part_of(stack), seconds) for stack, seconds in weights), total)


def accounted_java(threads: Mapping[int, Thread], total: float) -> dict[str, float]:
    """The same for a process of Flink, by threads."""
    return _summed(((part_of_java(thread), thread.seconds) for thread in threads.values()), total)


def _summed(parts: Iterable[tuple[str, float]], total: float) -> dict[str, float]:
    """Parts, greatest first, and what is missing to the total. A clock that ticks in hundredths may be over by a few."""
    found: dict[str, float] = {}
    for part, seconds in parts:
        found[part] = found.get(part, 0.0) + seconds
    ordered = dict(sorted(found.items(), key=lambda item: -item[1]))
    return ordered | {"threads that had ended": total - sum(found.values())}
