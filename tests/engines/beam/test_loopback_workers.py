"""The workers of a live run are reached from this machine only."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability import common_urns, python_urns
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.portable_runner import PortableRunner
from apache_beam.runners.worker import worker_pool_main

from infra.cluster.listeners import Listener, listeners
from tocsin.engines.beam.loopback_workers import keep_workers_on_loopback, start_on_loopback


@pytest.fixture(autouse=True)
def own_start() -> Iterator[None]:
    """Beam's own function, put back after the test."""
    service = worker_pool_main.BeamFnExternalWorkerPoolServicer
    before = service.__dict__["start"]
    yield
    service.start = before


def opened(before: set[Listener]) -> set[Listener]:
    return set(listeners({"run": os.getpid()})) - before


def pipeline() -> beam_runner_api_pb2.Pipeline:
    environment = beam_runner_api_pb2.Environment(urn=python_urns.EMBEDDED_PYTHON_LOOPBACK)
    return beam_runner_api_pb2.Pipeline(
        components=beam_runner_api_pb2.Components(environments={"python": environment})
    )


@pytest.mark.parametrize("ours", [False, True])
def test_beams_runner_opens_the_workers_port_on_loopback(ours: bool) -> None:
    """Beam's own function is the control: the test sees that its port is wide."""
    if ours:
        keep_workers_on_loopback()
    before, proto = set(listeners({"run": os.getpid()})), pipeline()
    endings = PortableRunner.start_and_replace_loopback_environments(
        proto, PipelineOptions(["--environment_type=LOOPBACK"])
    )
    try:
        found = opened(before)
        assert found
        assert all(one.address.is_loopback == ours for one in found), found
        environment = proto.components.environments["python"]
        assert environment.urn == common_urns.environments.EXTERNAL.urn
        host = b"127.0.0.1" if ours else b"localhost"
        assert host in environment.payload
    finally:
        for end in endings:
            end()


def test_workers_in_processes_are_refused() -> None:
    with pytest.raises(ValueError, match="threads"):
        start_on_loopback(use_process=True)
