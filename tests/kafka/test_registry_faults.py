"""A schema registry that is down, redirects or answers nonsense is one sentence."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer

import pytest
from pydantic import ValidationError

from tocsin.foundation.failure import Failure
from tocsin.kafka import registry
from tocsin.kafka.bounded_answers import Bounds
from tocsin.kafka.registry import Registry

ASKED: list[str] = []


class Answers(BaseHTTPRequestHandler):
    """`/moved` redirects to `/elsewhere`; `/nonsense` is no JSON; `/broken` fails."""

    def do_GET(self) -> None:
        ASKED.append(self.path)
        kind = self.path.split("/")[1]
        self.send_response({"moved": 302, "nonsense": 200}.get(kind, 500))
        if kind == "moved":
            self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(b"<html>")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    ASKED.clear()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def registry_at(url: str) -> Registry:
    return Registry(url=url, settings={"max.retries": "0"})


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("moved", "refused"), ("nonsense", "JSONDecodeError"), ("broken", "refused")],
)
def test_an_answer_that_is_no_schema_is_a_sentence(kind: str, reason: str, address: str) -> None:
    with pytest.raises(Failure, match=f"schema registry at {address}/{kind}.*{reason}"):
        registry_at(f"{address}/{kind}").schemas("city.air")
    assert not [path for path in ASKED if path.startswith("/elsewhere")], (
        "a redirect is not followed"
    )


def test_a_registry_that_is_down_is_a_sentence() -> None:
    with pytest.raises(
        Failure, match=r"no answer from the schema registry at http://127\.0\.0\.1:9: ConnectError"
    ):
        registry_at("http://127.0.0.1:9").schemas("city.air")


class Endless(BaseHTTPRequestHandler):
    """`/long` answers without end, `/slow` a byte at a time, `/many` lists many versions.

    `/packed` compresses its answer.
    """

    def do_GET(self) -> None:
        kind = self.path.split("/")[1]
        self.send_response(200)
        if kind == "packed":
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        if kind == "packed":
            self.wfile.write(gzip.compress(b" " * 10_000_000))
        elif kind == "many":
            is_list = self.path.partition("?")[0].endswith("/versions")
            versions = list(range(1, 100_000))
            schema = {"id": 1, "version": 1, "subject": "a", "schema": '"long"'}
            self.wfile.write(json.dumps(versions if is_list else schema).encode())
        else:
            part = b" " * (1 << 16) if kind == "long" else b" "
            with suppress(OSError):
                for _ in range(10_000):
                    self.wfile.write(part)
                    time.sleep(0.001 if kind == "long" else 0.05)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("long", "more than 1000000 bytes"),
        ("slow", "it takes longer than 1 s"),
        ("many", "it takes longer than 1 s"),
        ("packed", "it compresses answers"),
    ],
)
def test_a_registry_cannot_answer_without_end(
    kind: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "Bounds", lambda: Bounds(size=1_000_000, seconds=1))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endless)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/{kind}"
        with pytest.raises(Failure, match=f"at {url} answers too much: {reason}"):
            registry_at(url).schemas("city.air")
    finally:
        server.shutdown()
        thread.join()
        server.socket.close()


@pytest.mark.parametrize("subject", ["", "../config", "a/b", "a b", "a\n", "x" * 256])
def test_a_subject_is_a_name(subject: str) -> None:
    with pytest.raises(ValidationError, match="subjects"):
        Registry(url="http://localhost:8081", subjects=[subject])
    assert Registry(url="http://localhost:8081", subjects=[":.city:air-value"]).subjects


@pytest.mark.parametrize(
    "settings",
    [
        {"max.retries": "many"},
        {"max.retries": 101},
        {"timeout": "-1"},
        {"timeout": "1e9"},
        {"retries.wait.ms": "½"},
        {"ssl.ca.location": "a\x1b.pem"},
    ],
)
def test_a_setting_has_a_value_that_its_client_takes(settings: dict[str, str | int]) -> None:
    with pytest.raises(ValidationError, match=r"whole number|control character"):
        Registry(url="http://localhost:8081", settings=settings)
