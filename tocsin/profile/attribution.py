"""Processor time by part of the work: a table whose parts add up to the total."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tocsin.profile.stacks import Stack
from tocsin.profile.threads import Thread

# The innermost frame with one of these texts decides which part a stack belongs to.
_FRAMES = (
    ("consume", ("kafka/consumer.py", "read_telemetry.py", "kafka/librdkafka.py")),
    ("decode", ("kernels/avro/", "kafka/decoding.py")),
    (
        "event time and watermark",
        ("kernels/time/lateness.py", "engines/beam/io/source_dofn.py", "steps/state/progress.py"),
    ),
    (
        "window split and partial aggregate",
        (
            "WindowOperator.fold",
            "WindowOperator.route",
            "kernels/time/windows.py",
            "kernels/time/sessions.py",
            "Partials.folded",
            "Route.",
        ),
    ),
    ("split by key", ("split_by_key",)),
    (
        "windows that fire",
        (
            "steps/aggregate/window_operator.py",
            "steps/aggregate/window_results.py",
            "steps/aggregate/partials.py",
            "steps/aggregate/two_stacks.py",
            "steps/aggregate/pane_log.py",
        ),
    ),
    (
        "detection and alarms",
        (
            "steps/detect/",
            "transforms/detectors/",
            "steps/state/incremental_block.py",
            "kernels/state/keyed_block.py",
            "alert/",
        ),
    ),
    ("deduplication", ("steps/deduplicate/", "kernels/state/key_index.py")),
    ("other transforms", ("transforms/clean/", "transforms/enrich/", "kernels/expressions/")),
    (
        "write",
        (
            "transforms/write/",
            "steps/write_files/file_operator.py",
            "kafka/producer.py",
            "kafka/transactions.py",
        ),
    ),
    ("encode between steps", ("engines/beam/io/batch_coder.py",)),
    ("state", ("StateHandler", "RuntimeState", "UserStateContext", "statecache.py", "ShardCache.")),
    ("gRPC", ("grpc/", "data_plane.py", "log_handler.py")),
    ("imports and compilation", ("importlib", "numba/", "llvmlite/")),
    ("Beam", ("apache_beam/", "beam/")),
)
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
    """The part of the work that a stack belongs to."""
    name = stack.frames[0] if stack.frames else ""
    if len(stack.frames) == 1 and name.startswith("["):
        return next((part for part, heads in _THREADS if name[1:].startswith(heads)), REST)
    for frame in reversed(stack.frames):
        for part, marks in _FRAMES:
            if any(mark in frame for mark in marks):
                return part
    return REST


def part_of_java(thread: Thread) -> str:
    """The part of Flink's work that a thread does."""
    return next((part for part, heads in _JAVA if thread.name.startswith(heads)), REST_OF_FLINK)


def seconds_by_part(weights: Iterable[tuple[Stack, float]], total: float) -> dict[str, float]:
    """Processor seconds by part, greatest first.

    total: the process's processor seconds. Seconds of threads that were never sampled are a part.
    """
    return _summed(((part_of(stack), seconds) for stack, seconds in weights), total)


def java_seconds_by_part(threads: Mapping[int, Thread], total: float) -> dict[str, float]:
    """Processor seconds by part for a process of Flink, by threads."""
    return _summed(((part_of_java(thread), thread.seconds) for thread in threads.values()), total)


def _summed(parts: Iterable[tuple[str, float]], total: float) -> dict[str, float]:
    """Parts, greatest first, and the difference to the total.

    The clock of threads ticks in hundredths, so the difference may be slightly negative.
    """
    found: dict[str, float] = {}
    for part, seconds in parts:
        found[part] = found.get(part, 0.0) + seconds
    ordered = dict(sorted(found.items(), key=lambda item: -item[1]))
    return ordered | {"threads that had ended": total - sum(found.values())}
