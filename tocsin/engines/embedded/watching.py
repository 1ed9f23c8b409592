"""What others can see of a live job: a file with its status, and metrics for Prometheus."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from tocsin.engines.embedded.checkpoint_store import replace_file
from tocsin.engines.embedded.progress import Progress
from tocsin.engines.embedded.running import LiveJob
from tocsin.foundation.failure import Failure
from tocsin.foundation.ledger import FATES

STATUS = "status.json"
_EVERY = 1.0
"""Seconds between two versions of the file."""
_PATIENCE = 10.0
"""Seconds that a client of the metrics may be silent."""
# Names of counts by their name for Prometheus, as for jobs on Flink.
_COUNTERS = {
    "alarms": "tocsin_alarms_total",
    "given": "tocsin_given_total",
    "busy": "tocsin_busy_microseconds_total",
    "ahead": "tocsin_ahead_total",
    "late_for_some": "tocsin_late_for_some_total",
    "missed_windows": "tocsin_missed_windows_total",
}


class _Server(ThreadingHTTPServer):
    """A server whose clients are no concern of the job: one that goes away makes no noise."""

    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client has gone."""


class Watching:
    """Shows a live job to others while it is a context.

    folder: where the status goes, or None. port: of the metrics on 127.0.0.1, or None. viewers: get
    each progress. Raises Failure where the port is taken.
    """

    def __init__(self, job: LiveJob, folder: Path | None, port: int | None) -> None:
        self.viewers: list[Callable[[Progress], None]] = []
        self.address: str | None = None
        self._job, self._folder = job, folder
        self._began = time.time()
        self._written = 0.0
        self._latest: Progress | None = None
        self._server = None if port is None else self._opened(port)

    def _opened(self, port: int) -> ThreadingHTTPServer:
        watching = self

        class Answer(BaseHTTPRequestHandler):
            timeout = _PATIENCE

            def do_GET(self) -> None:
                found = self.path.partition("?")[0] == "/metrics"
                text = "".join(watching.lines()) if found else "see /metrics\n"
                body = text.encode(errors="replace")
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Requests are no news."""

        try:
            server = _Server(("127.0.0.1", port), Answer)
        except OSError as error:
            raise Failure(f"cannot listen on 127.0.0.1:{port}: {error.strerror}") from None
        self.address = f"http://127.0.0.1:{server.server_address[1]}/metrics"
        return server

    def __enter__(self) -> Self:
        if self._server is not None:
            threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        if self._latest is not None:
            # The checkpoint counts. A status that cannot be written hides no other failure.
            with suppress(Failure):
                self._write(self._latest, "STOPPED")

    def show(self, progress: Progress) -> None:
        """Show the newest progress."""
        self._latest = progress
        for viewer in self.viewers:
            viewer(progress)
        if time.monotonic() > self._written + _EVERY:
            self._written = time.monotonic()
            self._write(progress, "RUNNING")

    def _write(self, progress: Progress, state: str) -> None:
        if self._folder is None:
            return
        content = {
            "job": self._job.job.name,
            "process": os.getpid(),
            "state": state,
            "began": self._began,
            "at": time.time(),
            "steps": self._job.job.counted(),
            "checkpoints": self._checkpoints(),
            **progress.as_dict(),
        }
        path = self._folder / STATUS
        try:
            replace_file(path, json.dumps(content).encode(), durable=False)
        except OSError as error:
            raise Failure(f"cannot write {path}: {error.strerror}") from None

    def _checkpoints(self) -> dict[str, Any]:
        known = self._job.checkpoints
        return {"completed": 0, "failed": 0} if known is None else known.as_dict()

    def lines(self) -> Iterator[str]:
        """The metrics in Prometheus' text format."""
        progress, name = self._latest, _quoted(self._job.job.name)
        if progress is None:
            return
        yield "# TYPE tocsin_records_total counter\n"
        for step, counts in progress.counts.items():
            for fate in FATES:
                labels = f'job_name="{name}",step="{_quoted(step)}",fate="{fate}"'
                yield f"tocsin_records_total{{{labels}}} {counts.get(fate, 0)}\n"
        for count, metric in _COUNTERS.items():
            yield f"# TYPE {metric} counter\n"
            for step, counts in progress.counts.items():
                labels = f'job_name="{name}",step="{_quoted(step)}"'
                yield f"{metric}{{{labels}}} {counts.get(count, 0)}\n"
        for metric, what, divisor in (
            ("tocsin_position_offset", "position", 1),
            ("tocsin_lag_records", "lag", 1),
            ("tocsin_watermark_milliseconds", "watermark", 1000),
        ):
            yield f"# TYPE {metric} gauge\n"
            # Two splits may have one number: the last is in the present topic.
            for split in {(one.step, one.partition): one for one in progress.splits}.values():
                value = getattr(split, what)
                labels = (
                    f'job_name="{name}",step="{_quoted(split.step)}",partition="{split.partition}"'
                )
                if value is not None:
                    yield f"{metric}{{{labels}}} {value // divisor}\n"
        for what, value in self._checkpoints().items():
            if isinstance(value, int | float):
                yield f"# TYPE tocsin_checkpoint_{what} gauge\n"
                yield f'tocsin_checkpoint_{what}{{job_name="{name}"}} {value}\n'


def _quoted(text: str) -> str:
    """A text between the quotes of a label."""
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
