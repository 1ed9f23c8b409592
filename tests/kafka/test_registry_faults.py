"""A schema registry that is down, redirects or answers nonsense is one sentence."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tocsin.foundation.failure import Failure
from tocsin.kafka.decoding import Registry

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
    settings = {"max.retries": "0"}
    return Registry.model_construct(url=url, subjects=[], settings=settings)


@pytest.mark.parametrize("kind", ["moved", "nonsense", "broken"])
def test_an_answer_that_is_no_schema_is_a_sentence(kind: str, address: str) -> None:
    with pytest.raises(Failure, match=f"schema registry at {address}/{kind}"):
        registry_at(f"{address}/{kind}").schemas("city.air")
    assert not [path for path in ASKED if path.startswith("/elsewhere")], (
        "a redirect is not followed"
    )


def test_a_registry_that_is_down_is_a_sentence() -> None:
    with pytest.raises(
        Failure, match=r"no answer from the schema registry at http://127\.0\.0\.1:9"
    ):
        registry_at("http://127.0.0.1:9").schemas("city.air")
