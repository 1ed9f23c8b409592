"""SASL/SCRAM with TLS, a registry with a password, least rights, and no secret in any output."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from infra.cluster.settings import ROOT, Cluster
from tests.cluster.canary import files_with, found_in
from tests.support.cluster import (
    CANARY,
    REGISTRY_CANARY,
    Run,
    as_json,
    cancel_all,
    messages,
    parquet_files,
    traffic,
    wait_for,
)
from tocsin.flink.rest import FlinkRest

JOB = Path(__file__).parent / "secure.yaml"
SECRETS = [CANARY, REGISTRY_CANARY]
SCHEMA = (ROOT / "tests/faults/reading_v1.avsc").read_text()
NAME = "secure.readings"

# The rights that a job needs, as docs/security.md lists them.
LEAST = [
    (ResourceType.TOPIC, "secure.readings", ResourcePatternType.LITERAL, AclOperation.READ),
    (ResourceType.TOPIC, "secure.alarms", ResourcePatternType.LITERAL, AclOperation.WRITE),
    (ResourceType.TOPIC, "secure.alarms", ResourcePatternType.LITERAL, AclOperation.READ),
    (ResourceType.TOPIC, "secure.rejects", ResourcePatternType.LITERAL, AclOperation.WRITE),
    (
        ResourceType.TRANSACTIONAL_ID,
        "tocsin.secure",
        ResourcePatternType.PREFIXED,
        AclOperation.WRITE,
    ),
    (ResourceType.GROUP, "tocsin.secure", ResourcePatternType.PREFIXED, AclOperation.READ),
]


def binding(right: tuple[Any, ...]) -> AclBinding:
    kind, name, pattern, operation = right
    return AclBinding(kind, name, pattern, "User:tocsin", "*", operation, AclPermissionType.ALLOW)


def removal(right: tuple[Any, ...]) -> AclBindingFilter:
    kind, name, pattern, operation = right
    return AclBindingFilter(
        kind, name, pattern, "User:tocsin", "*", operation, AclPermissionType.ALLOW
    )


@pytest.fixture(scope="module")
def rights(admin: AdminClient, topics: Callable[..., None]) -> Iterator[None]:
    topics("secure.readings", "secure.alarms", "secure.rejects")
    for future in admin.create_acls([binding(right) for right in LEAST]).values():
        future.result(30)
    yield
    for future in admin.delete_acls([removal(right) for right in LEAST]).values():
        future.result(30)


class _Registry(BaseHTTPRequestHandler):
    """A Confluent-compatible registry with basic authentication, for the calls of a reader."""

    def do_GET(self) -> None:
        wanted = "Basic " + base64.b64encode(f"me:{REGISTRY_CANARY}".encode()).decode()
        if self.headers.get("Authorization") != wanted:
            return self._answer(401, {"error_code": 401, "message": "Unauthorized"})
        path = unquote(self.path.partition("?")[0]).rstrip("/")
        if path == f"/subjects/{NAME}-value/versions":
            return self._answer(200, [1])
        if path == f"/subjects/{NAME}-value/versions/1":
            return self._answer(
                200, {"subject": f"{NAME}-value", "version": 1, "id": 1, "schema": SCHEMA}
            )
        return self._answer(404, {"error_code": 40403, "message": "not found"})

    def _answer(self, code: int, body: Any) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def given(cluster: Cluster, registry: str, tmp_path: Path) -> dict[str, str]:
    return {
        "SECURE_BROKERS": cluster.at("kafka_secure"),
        "SECURE_CA": str(cluster.certificate),
        "LAKE": str(tmp_path / "lake"),
        "REGISTRY": registry,
        "TOCSIN_ALLOW_FOLDERS": os.pathsep.join(map(str, (ROOT, tmp_path, cluster.folder))),
    }


def test_the_search_finds_encoded_secrets() -> None:
    from apache_beam.internal import pickler

    assert found_in(pickler.dumps({"password": CANARY, "more": "x" * 500}), SECRETS) == [CANARY]
    assert found_in(f"user:{REGISTRY_CANARY}".encode("utf-16-le"), SECRETS) == [REGISTRY_CANARY]
    assert found_in(base64.b64encode(b"a long text before " + CANARY.encode()), SECRETS) == [CANARY]
    assert not found_in(pickler.dumps({"password": "env:KAFKA_PASSWORD"}), SECRETS)


def test_a_job_runs_with_least_rights_and_exposes_no_secret(
    cluster: Cluster, tocsin: Run, rights: None, given: dict[str, str], tmp_path: Path
) -> None:
    outputs = []
    with traffic(cluster, "secure.readings"):
        outputs += [
            tocsin("submit", JOB, **given),
            tocsin("plan", JOB, **given),
            tocsin("plan", JOB, "--json", **given),
        ]
        wait_for("output", lambda: len(parquet_files(tmp_path / "lake")) > 3)
        wait_for("alarms", lambda: messages(cluster.at("kafka"), "secure.alarms"))
        outputs += [
            tocsin("savepoint", "secure"),
            tocsin("status", "secure"),
            tocsin("logs", "secure", "--full", "--lines", 100000),
        ]
        wait_for(
            "a balanced ledger", lambda: as_json(tocsin("status", "secure", "--json"))["balances"]
        )
        answers = rest_answers(cluster)
        assert b"tocsin_version" in b"".join(answers.values()) or len(answers) > 15
    for output in outputs:
        assert not found_in((output.stdout + output.stderr).encode(), SECRETS)
    assert not [path for path, answer in answers.items() if found_in(answer, SECRETS)]
    # Logs, configuration, checkpoints, savepoints, the job graph and the uploaded code.
    assert (cluster.folder / "flink" / "checkpoints").is_dir()
    assert not files_with(cluster.folder, SECRETS)
    assert not files_with(tmp_path / "lake", SECRETS)


def rest_answers(cluster: Cluster) -> dict[str, bytes]:
    """The answers of Flink's REST interface about the cluster and its jobs, by path."""
    import httpx

    rest = FlinkRest(f"http://{cluster.at('flink_rest')}")
    job = rest.job("secure").id
    paths = [
        "/config",
        "/jobmanager/config",
        "/jobmanager/environment",
        "/jobmanager/metrics",
        "/taskmanagers",
        "/jobs/overview",
    ]
    paths += [
        f"/jobs/{job}{rest}"
        for rest in (
            "",
            "/config",
            "/plan",
            "/accumulators",
            "/exceptions",
            "/checkpoints",
            "/checkpoints/config",
            "/metrics",
        )
    ]
    paths += [
        f"/jobs/{job}/vertices/{vertex['id']}" for vertex in rest.get(f"/jobs/{job}")["vertices"]
    ]
    paths += [
        f"/jobs/{job}/vertices/{vertex['id']}/subtasks/metrics"
        for vertex in rest.get(f"/jobs/{job}")["vertices"]
    ]
    for manager in rest.get("/taskmanagers")["taskmanagers"]:
        paths += [
            f"/taskmanagers/{manager['id']}{rest}"
            for rest in ("", "/log", "/stdout", "/thread-dump", "/metrics")
        ]
    answers = {path: httpx.get(rest.url + path, timeout=30) for path in paths}
    assert answers[f"/jobs/{job}/config"].status_code == 200
    return {path: answer.content for path, answer in answers.items()}


@pytest.mark.parametrize(
    "right", LEAST, ids=lambda right: f"{right[0].name}.{right[1]}.{right[3].name}"
)
def test_a_missing_right_is_named(
    right: tuple[Any, ...],
    cluster: Cluster,
    tocsin: Run,
    rights: None,
    given: dict[str, str],
    admin: AdminClient,
) -> None:
    for future in admin.delete_acls([removal(right)]).values():
        future.result(30)
    try:
        with traffic(cluster, "secure.readings") as sending:
            sending.poison = 1000
            found = tocsin("submit", JOB, check=False, **given)
            reported = found.stderr
            if found.returncode == 0:
                # Only the first alarm needs this right.
                def reason() -> str:
                    failures = [
                        text
                        for _, text in as_json(tocsin("status", "secure", "--json"))["failures"]
                    ]
                    return next(
                        (text for text in failures if "a worker was cut off" not in text), ""
                    )

                reported = wait_for("reason", reason, 90)
    finally:
        cancel_all(cluster)
        for future in admin.create_acls([binding(right)]).values():
            future.result(30)
    assert "authoriz" in reported.lower() or "may not" in reported
    assert right[1] in reported or "transactional" in reported.lower()
    assert "Traceback" not in reported
    assert not found_in(reported.encode(), SECRETS)


def test_a_wrong_password_is_reported_but_not_shown(
    tocsin: Run, given: dict[str, str], rights: None
) -> None:
    found = tocsin("submit", JOB, check=False, **given, KAFKA_PASSWORD="wrong-but-also-secret")
    assert found.returncode == 1
    assert "authentication" in found.stderr.lower()
    assert "wrong-but-also-secret" not in found.stdout + found.stderr
    assert "Traceback" not in found.stderr


def test_a_missing_secret_is_named(tocsin: Run, given: dict[str, str]) -> None:
    # The operator allows it, and no worker has it.
    allowed = f"{os.environ['TOCSIN_SECRETS']};env:KAFKA_PASSWORT@127.0.0.1"
    environment = {**given, "TOCSIN_SECRETS": allowed}
    text = (
        JOB.read_text()
        .replace("env:KAFKA_PASSWORD", "env:KAFKA_PASSWORT")
        .replace("../faults", str(ROOT / "tests/faults"))
    )
    job = Path(given["LAKE"]).parent / "secure.yaml"
    job.write_text(text)
    found = tocsin("submit", job, check=False, **environment)
    assert found.returncode == 1
    assert "KAFKA_PASSWORT" in found.stderr


def test_a_registry_that_refuses_access_is_named(
    tocsin: Run, given: dict[str, str], cluster: Cluster, rights: None
) -> None:
    text = (
        JOB.read_text()
        .replace("env:REGISTRY_USER_INFO", "env:STRANGER_PASSWORD")
        .replace("../faults", str(ROOT / "tests/faults"))
    )
    job = Path(given["LAKE"]).parent / "secure.yaml"
    job.write_text(text)
    with traffic(cluster, "secure.readings"):
        found = tocsin("submit", job, check=False, **given)
    assert found.returncode == 1
    assert "the schema registry at http://127.0.0.1" in found.stderr
    assert "stranger-password" not in found.stdout + found.stderr
