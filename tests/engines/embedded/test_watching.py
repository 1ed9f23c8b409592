"""Clients of the metrics cannot disturb a job, and its names cannot break the format."""

from __future__ import annotations

import socket
import struct
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tocsin.engines.embedded.progress import Progress, SplitProgress
from tocsin.engines.embedded.watching import STATUS, Watching
from tocsin.foundation.failure import Failure

NAME = 'a"} 1\nb\\\ud800'
GARBAGE = [
    b"",
    b"GET ",
    b"\x16\x03\x01\x00\xff",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\n",
    b"GET /" + b"a" * 70_000,
    b"POST /metrics HTTP/1.1\r\n\r\n",
    b"GET /metrics HTTP/9.9\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\n" + b"x: y\r\n" * 200,
]


def watching(folder: Path | None = None, port: int | None = 0) -> Watching:
    job: Any = SimpleNamespace(
        job=SimpleNamespace(name=NAME, counted=lambda: [NAME]), checkpoints=None
    )
    return Watching(job, folder, port)


def progress(*positions: int) -> Progress:
    splits = [SplitProgress(NAME, 0, one, None, None) for one in positions]
    return Progress(splits, {NAME: {"read": 3}}, None, 3, None)


def test_clients_that_go_away_or_stay_do_not_disturb(capfd: pytest.CaptureFixture[str]) -> None:
    with watching() as shown:
        shown.show(progress(7))
        assert shown.address is not None
        port = int(shown.address.split(":")[2].partition("/")[0])
        for garbage in GARBAGE * 3:
            client = socket.create_connection(("127.0.0.1", port))
            client.sendall(garbage)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        waiting = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
        with urllib.request.urlopen(shown.address, timeout=10) as answer:
            text = answer.read().decode()
        for client in waiting:
            client.close()
    assert capfd.readouterr().err == ""
    for line in text.splitlines():
        assert line.startswith("# TYPE ") or (line.startswith("tocsin_") and "{job_name=" in line)


def test_a_topic_that_was_created_again_has_one_line_for_a_partition() -> None:
    shown = watching(port=None)
    shown.show(progress(7, 2))
    lines = [line for line in shown.lines() if line.startswith("tocsin_position_offset{")]
    assert [line.rsplit(" ", 1)[1] for line in lines] == ["2\n"]


def test_a_status_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / STATUS).mkdir()
    with pytest.raises(Failure, match="cannot write"), watching(tmp_path, None) as shown:
        shown.show(progress(7))
