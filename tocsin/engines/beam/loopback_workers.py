"""Beam's in-process workers of `tocsin run --runner prism`, on loopback.

Their server runs the code that it is sent, and Beam opens it to every interface.
"""

from __future__ import annotations

from typing import Any

import grpc
from apache_beam.portability.api import beam_fn_api_pb2_grpc
from apache_beam.runners.worker import worker_pool_main
from apache_beam.utils import thread_pool_executor

_SERVICE = worker_pool_main.BeamFnExternalWorkerPoolServicer


def keep_workers_on_loopback() -> None:
    """Replace Beam's function that starts the server, for this process."""
    _SERVICE.start = start_on_loopback


def start_on_loopback(
    state_cache_size: int = 0, data_buffer_time_limit_ms: int = -1, *, use_process: bool = False
) -> tuple[str, Any]:
    """A started server and its address: the arguments and results of Beam's own function.

    Raises ValueError for workers in processes of their own, which Tocsin does not use.
    """
    if use_process:
        raise ValueError("workers of a live run are threads, not processes")
    options = [("grpc.http2.max_pings_without_data", 0), ("grpc.http2.max_ping_strikes", 0)]
    server = grpc.server(thread_pool_executor.shared_unbounded_instance(), options=options)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    workers = _SERVICE(
        use_process=False,
        state_cache_size=state_cache_size,
        data_buffer_time_limit_ms=data_buffer_time_limit_ms,
    )
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(workers, server)
    server.start()
    return address, server
