"""One hostile job in a process of its own: each verb of the command, with what it touched."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from tests.hostile.watch import AuditTrail

GIBIBYTE = 1 << 30


def run_trial(request: dict[str, Any]) -> None:
    """Run the verbs of a request. Each result is written when the verb ends.

    request: `folder` to work in, `results` to write, `environment`, and `verbs`: (name, arguments)
    of the command, or ("probe", [code]) for the tests of this harness.
    """
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    _limit_memory()
    trail = AuditTrail()
    results = Path(request["results"])
    for number, (verb, arguments) in enumerate(request["verbs"]):
        (results / f"{number}.begun").write_text(verb, "utf-8")
        result = _result_of(verb, arguments, trail, results / str(number))
        part = results / f"{number}.part"
        part.write_text(json.dumps(result), "utf-8")
        part.rename(results / f"{number}.json")


def _limit_memory() -> None:
    """Private memory may grow by a gibibyte, and threads' stacks: then Python raises."""
    status = Path("/proc/self/status").read_text("ascii")
    (now,) = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmData")]
    most = now * 1024 + GIBIBYTE + GIBIBYTE // 4
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _result_of(verb: str, arguments: list[str], trail: AuditTrail, output: Path) -> dict[str, Any]:
    before, started = _processor_seconds(), time.monotonic()
    with _captured(output):
        trail.is_on = True
        code = _code_of(verb, arguments)
        trail.is_on = False
    return {
        "verb": verb,
        "code": code,
        "wall": time.monotonic() - started,
        "processor": _processor_seconds() - before,
        "events": trail.take(),
    }


def _code_of(verb: str, arguments: list[str]) -> int | str:
    """The exit code, or the name of the exception that would be a traceback."""
    from tocsin.cli.main import main

    try:
        if verb == "probe":
            exec(arguments[0], {})
        else:
            main([verb, *arguments])
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except BaseException as error:  # noqa: BLE001 - what a terminal would show as a traceback
        traceback.print_exc()
        return type(error).__name__
    return 0


@contextlib.contextmanager
def _captured(output: Path) -> Any:
    """Both streams of this process in OUTPUT.out and OUTPUT.err, native code's too."""
    with contextlib.ExitStack() as stack:
        for descriptor, name, errors in ((1, "out", "strict"), (2, "err", "backslashreplace")):
            file = os.open(f"{output}.{name}", os.O_WRONLY | os.O_CREAT, 0o600)
            os.dup2(file, descriptor)
            os.close(file)
            stream = stack.enter_context(
                open(descriptor, "w", encoding="utf-8", errors=errors, closefd=False)
            )
            setattr(sys, f"std{name}", stream)
        yield


def _processor_seconds() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)
