"""The pool that starts Python workers for Flink. Each runs the code that its job came with."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
import traceback
from pathlib import Path
from typing import Any

import grpc
from apache_beam.portability.api import (
    beam_artifact_api_pb2,
    beam_artifact_api_pb2_grpc,
    beam_fn_api_pb2,
    beam_fn_api_pb2_grpc,
    beam_provision_api_pb2,
    beam_provision_api_pb2_grpc,
    beam_runner_api_pb2,
)
from apache_beam.runners.worker.worker_id_interceptor import WorkerIdInterceptor
from apache_beam.utils import thread_pool_executor

from tocsin.engines.beam.workers.zygotes import ForkedWorker, ZygoteOfCode, Zygotes
from tocsin.flink.code_archive import unpack
from tocsin.foundation.failure import Failure

_LOG = logging.getLogger("tocsin.workers")
_STAGED_NAME = "beam:artifact:role:staging_to:v1"
_PREFIX = "tocsin-code-"
# Workers allocate and free columns by the megabyte. By default, the C library returns such memory
# to the system each time and gets it back page by page, which costs a worker a tenth of its time.
# By default it also has one arena per thread, which together hold several times the memory.
_MEMORY = {
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": str(2**26),
    "MALLOC_TRIM_THRESHOLD_": str(2**28),
    "MALLOC_TOP_PAD_": str(2**24),
}


class WorkerPool(beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolServicer):  # type: ignore[misc]
    """Starts and stops worker processes for a TaskManager. folder: where it unpacks jobs' code.

    It runs the code that it receives, so bind it to loopback only.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._zygotes = Zygotes({**_MEMORY, **os.environ})
        self._workers: dict[str, tuple[ZygoteOfCode, ForkedWorker]] = {}
        self._lock = threading.Lock()

    def serve(self, host: str, port: int) -> Any:
        """A started server. Raises Failure where the port is taken."""
        options = [
            ("grpc.http2.max_pings_without_data", 0),
            ("grpc.http2.max_ping_strikes", 0),
            ("grpc.so_reuseport", 0),
        ]
        server = grpc.server(thread_pool_executor.shared_unbounded_instance(), options=options)
        try:
            bound = server.add_insecure_port(f"{host}:{port}")
        except RuntimeError:
            bound = 0
        if not bound:
            raise Failure(f"cannot listen at {host}:{port}; is another worker pool running?")
        beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(self, server)
        server.start()
        return server

    def StartWorker(self, request: Any, _context: Any) -> Any:  # noqa: N802 - the name in the protocol
        """Fetch the job's code and start a worker with it. The response carries any error."""
        try:
            code = unpack(self._archive(request), self.folder)
            zygote = self._zygotes.of(code)
            worker = zygote.start(
                request.worker_id, request.control_endpoint.url, request.logging_endpoint.url
            )
            with self._lock:
                self._workers = {
                    name: found
                    for name, found in self._workers.items()
                    if not found[1].ended.is_set()
                }
                self._workers[request.worker_id] = zygote, worker
            _LOG.warning("worker %s: pid %d, code %s", request.worker_id, worker.pid, code.name)
            return beam_fn_api_pb2.StartWorkerResponse()
        except Failure as failure:
            return beam_fn_api_pb2.StartWorkerResponse(error=str(failure))
        except Exception:  # noqa: BLE001 - Flink shows the text; an exception would hide it
            return beam_fn_api_pb2.StartWorkerResponse(error=traceback.format_exc())

    def StopWorker(self, request: Any, _context: Any) -> Any:  # noqa: N802
        """End a worker. An unknown worker is ignored."""
        with self._lock:
            found = self._workers.pop(request.worker_id, None)
        if found is not None:
            zygote, worker = found
            zygote.stop(worker)
        return beam_fn_api_pb2.StopWorkerResponse()

    def end(self) -> None:
        """End all workers."""
        self._zygotes.end()

    @staticmethod
    def _archive(request: Any) -> bytes:
        identity = WorkerIdInterceptor(request.worker_id)
        with grpc.insecure_channel(request.provision_endpoint.url) as channel:
            stub = beam_provision_api_pb2_grpc.ProvisionServiceStub(
                grpc.intercept_channel(channel, identity)
            )
            info = stub.GetProvisionInfo(
                beam_provision_api_pb2.GetProvisionInfoRequest(), timeout=30
            ).info
        with grpc.insecure_channel(request.artifact_endpoint.url) as channel:
            retrieval = beam_artifact_api_pb2_grpc.ArtifactRetrievalServiceStub(
                grpc.intercept_channel(channel, identity)
            )
            wanted = beam_artifact_api_pb2.ResolveArtifactsRequest(artifacts=info.dependencies)
            for artifact in retrieval.ResolveArtifacts(wanted, timeout=30).replacements:
                if _name_of(artifact).startswith(_PREFIX):
                    parts = retrieval.GetArtifact(
                        beam_artifact_api_pb2.GetArtifactRequest(artifact=artifact), timeout=120
                    )
                    return b"".join(part.data for part in parts)
        raise Failure("the job came without its code; submit it with `tocsin submit`")


def _name_of(artifact: Any) -> str:
    if artifact.role_urn != _STAGED_NAME:
        return ""
    payload = beam_runner_api_pb2.ArtifactStagingToRolePayload.FromString(artifact.role_payload)
    return str(payload.staged_name)


def default_folder() -> Path:
    """The default folder for jobs' code, one for each user of the machine."""
    return Path(tempfile.gettempdir()) / f"tocsin-code-{os.getuid()}"
