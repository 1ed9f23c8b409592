"""S3 servers as processes, and a proxy in front of one that loses requests and answers.

`moto` is always tested. `versitygw` and `weed` (SeaweedFS) are tested where these programs are in
$TOCSIN_TOOLS or on the path; `make object-stores` builds them.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
KEY, SECRET = "lake-writer", "not-to-be-shown"
_REFUSAL = (
    f"<Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>{KEY}</AWSAccessKeyId>"
    f"<Message>the secret {SECRET} is wrong</Message></Error>"
).encode()
BUCKET = "city-lake"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def program(name: str) -> str | None:
    """The path of a server, or None."""
    tools = os.environ.get("TOCSIN_TOOLS", ROOT / ".tools")
    return shutil.which(name, path=f"{tools}{os.pathsep}{os.environ['PATH']}")


@contextmanager
def server(kind: str, folder: Path) -> Iterator[str]:
    """The address of a server with the bucket BUCKET. kind: `moto`, `weed`, `versitygw`, or
    `unconditional`, which takes every put of a key.
    """
    port = free_port()
    command = [sys.executable, str(Path(__file__).with_name("moto_server.py")), str(port)]
    if kind == "weed":
        command = _weed(folder, port)
    if kind in ("versitygw", "unconditional"):
        command = _versitygw(folder, port, kind)
    variables = {**os.environ, "ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": SECRET}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=variables)
    address = f"http://127.0.0.1:{port}"
    try:
        _make_bucket(address, process)
        yield address
    finally:
        process.kill()
        process.wait(10)


def _versitygw(folder: Path, port: int, kind: str) -> list[str]:
    found = program("versitygw")
    assert found is not None
    (folder / "root").mkdir()
    (folder / "about").mkdir()
    about = ["--nometa"] if kind == "unconditional" else ["--sidecar", str(folder / "about")]
    server = [found, "--port", f"127.0.0.1:{port}", "--region", "us-east-1", "--quiet"]
    return [*server, "posix", *about, str(folder / "root")]


def _weed(folder: Path, port: int) -> list[str]:
    found = program("weed")
    assert found is not None
    settings = folder / "s3.json"
    settings.write_text(
        '{"identities": [{"name": "writer", "actions": ["Admin", "Read", "Write", "List"],'
        f' "credentials": [{{"accessKey": "{KEY}", "secretKey": "{SECRET}"}}]}}]}}'
    )
    others = {name: free_port() for name in ("master", "volume", "filer")}
    return [
        *(found, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
        *(f"-{name}.port={number}" for name, number in others.items()),
        *(f"-{name}.port.grpc={free_port()}" for name in ("master", "volume", "filer", "s3")),
        *("-filer", "-s3", f"-s3.port={port}", f"-s3.config={settings}"),
        *("-master.volumeSizeLimitMB=64", "-volume.max=20"),
    ]


def _make_bucket(address: str, process: subprocess.Popen[bytes]) -> None:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    client = boto3.client(
        "s3",
        endpoint_url=address,
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        region_name="us-east-1",
        config=Config(retries={"max_attempts": 1}, connect_timeout=2, read_timeout=10),
    )
    last = time.monotonic() + 60
    while True:
        assert process.poll() is None, "the server ended"
        try:
            client.create_bucket(Bucket=BUCKET)
            client.put_object(Bucket=BUCKET, Key="first", Body=b"1")
        except (BotoCoreError, ClientError):
            assert time.monotonic() < last, "the server does not take a bucket"
            time.sleep(0.3)
        else:
            return


def environment(address: str) -> dict[str, str]:
    """The variables of a process that uses a server."""
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
    }


@dataclass
class Fault:
    """What happens to the next requests that fit.

    method: such as PUT. path: a pattern. kind: `500`, `503`, `403` (refused), `late 500` (done,
    and then refused), `lost` (done, and no answer), `cut` (not done, and no answer) or `ignored`
    (the condition of a put is left out). times: how many requests.
    """

    method: str
    path: str
    kind: str
    times: int = 1


@dataclass
class Proxy:
    """A proxy of a server with faults. done: the faults that came, in order."""

    address: str
    faults: list[Fault] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    lock: Any = field(default_factory=threading.Lock)

    def taken(self, method: str, path: str) -> str:
        with self.lock:
            for one in self.faults:
                if one.times and one.method == method and re.search(one.path, path):
                    one.times -= 1
                    self.done.append(one.kind)
                    return one.kind
        return ""


@contextmanager
def proxy(server_address: str) -> Iterator[Proxy]:
    """A proxy in front of a server."""
    target = server_address.removeprefix("http://")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def _handle(self) -> None:
            size = int(self.headers.get("content-length") or 0)
            body = self.rfile.read(size)
            kind = known.taken(self.command, self.path)
            if kind in ("500", "503", "403"):
                self._answer(int(kind), _REFUSAL if kind == "403" else b"")
                return
            if kind == "cut":
                self._hang_up()
                return
            headers = dict(self.headers.items())
            if kind == "ignored":
                headers.pop("if-none-match", None)
            connection = HTTPConnection(target, timeout=30)
            connection.request(self.command, self.path, body, headers)
            found = connection.getresponse()
            content = found.read()
            connection.close()
            if kind == "lost":
                self._hang_up()
            elif kind == "late 500":
                self._answer(500, b"")
            else:
                self._answer(found.status, content, dict(found.getheaders()))

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _handle  # noqa: N815 - the names count

        def _hang_up(self) -> None:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

        def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            left_out = {"content-length", "transfer-encoding", "connection", "date", "server"}
            for name, value in (headers or {}).items():
                if name.lower() not in left_out:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    known = Proxy(f"http://127.0.0.1:{listening.server_address[1]}")
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    try:
        yield known
    finally:
        listening.shutdown()
        listening.server_close()
