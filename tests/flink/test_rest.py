"""The client of Flink's REST interface: requests, answers, and failures in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tocsin.flink import rest as module
from tocsin.flink.rest import FlinkRest
from tocsin.foundation.failure import Failure

JOBS = {
    "jobs": [
        {"jid": "1", "name": "air", "state": "FAILED", "start-time": 30},
        {"jid": "2", "name": "air", "state": "RUNNING", "start-time": 20},
        {"jid": "3", "name": "locks", "state": "FINISHED", "start-time": 10},
    ]
}


def client(answer: Callable[[httpx.Request], httpx.Response]) -> FlinkRest:
    found = FlinkRest("http://flink:8081")
    found._client = httpx.Client(
        base_url="http://flink:8081", transport=httpx.MockTransport(answer)
    )
    return found


def answering(answers: dict[str, Any]) -> FlinkRest:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=answers[f"{request.method} {request.url.path}"])

    return client(answer)


def test_a_running_job_precedes_a_newer_ended_one() -> None:
    flink = answering({"GET /jobs/overview": JOBS})
    assert flink.job("air").id == "2"
    assert flink.job("1").id == "1"
    assert [job.id for job in flink.jobs()] == ["1", "2", "3"]
    running = flink.running("air")
    assert running is not None
    assert running.id == "2"
    assert flink.running("locks") is None


def test_an_unknown_job_is_reported_with_all_names() -> None:
    flink = answering({"GET /jobs/overview": JOBS})
    with pytest.raises(Failure, match=r"no job 'x' on http://flink:8081 \(jobs: air, locks\)"):
        flink.job("x")


def test_a_refusal_is_reported_with_flinks_reason() -> None:
    flink = client(lambda _: httpx.Response(404, json={"errors": ["Job 1 not found"]}))
    with pytest.raises(Failure, match=r"refused /jobs/1: Job 1 not found"):
        flink.state("1")
    flink = client(lambda _: httpx.Response(503, text="busy"))
    with pytest.raises(Failure, match=r"refused /jobs/1: 503 Service Unavailable"):
        flink.state("1")


def test_an_unreachable_cluster_is_reported() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    with pytest.raises(Failure, match=r"no answer from Flink at .*refused \(is the cluster up\?"):
        client(refuse).jobs()


@pytest.mark.parametrize(("stop", "path"), [(True, "stop"), (False, "savepoints")])
def test_a_savepoint_is_awaited(monkeypatch: pytest.MonkeyPatch, stop: bool, path: str) -> None:
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    states = ["IN_PROGRESS", "COMPLETED"]
    sent: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            assert request.url.path == f"/jobs/1/{path}"
            sent.append(json.loads(request.content))
            return httpx.Response(202, json={"request-id": "7"})
        assert request.url.path == "/jobs/1/savepoints/7"
        operation = {"location": "file:/saved"}
        return httpx.Response(200, json={"status": {"id": states.pop(0)}, "operation": operation})

    assert client(answer).save("1", "file:/folder", stop=stop) == "file:/saved"
    assert sent[0]["targetDirectory"] == "file:/folder"
    assert states == []


def test_a_failed_savepoint_is_reported_with_its_cause() -> None:
    cause = "java.lang.RuntimeException: x\nCaused by: java.io.IOException: no space left"

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(202, json={"request-id": "7"})
        operation = {"failure-cause": {"stack-trace": cause}}
        return httpx.Response(200, json={"status": {"id": "COMPLETED"}, "operation": operation})

    with pytest.raises(Failure, match=r"the savepoint failed: java\.io\.IOException: no space"):
        client(answer).save("1", None, stop=False)


def test_a_savepoint_without_end_is_given_up() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(202, json={"request-id": "7"})
        return httpx.Response(200, json={"status": {"id": "IN_PROGRESS"}})

    with pytest.raises(Failure, match="no savepoint within 0 s"):
        client(answer).save("1", None, stop=False, patience=0.1)


def test_only_named_metrics_are_requested() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.params["get"] == "a,b"
        return httpx.Response(200, json=[{"id": "a", "value": "1"}])

    assert client(answer).metrics("/jobs/1/metrics", ["a", "b"]) == {"a": "1"}
    assert client(answer).metrics("/jobs/1/metrics", []) == {}


def test_a_taskmanager_without_a_log_is_explained() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/taskmanagers":
            return httpx.Response(200, json={"taskmanagers": [{"id": "a"}, {"id": "b"}]})
        if request.url.path == "/taskmanagers/a/log":
            return httpx.Response(200, text="started")
        return httpx.Response(404, json={"errors": ["no file"]})

    assert client(answer).logs() == [
        ("a", "started"),
        ("b", "no log file (its log.file is not set)"),
    ]
