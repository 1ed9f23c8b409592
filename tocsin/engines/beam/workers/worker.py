"""The worker process of a job on Flink."""

from __future__ import annotations

import logging

from apache_beam.portability.api import endpoints_pb2
from apache_beam.runners.worker.log_handler import FnApiLogRecordHandler
from apache_beam.runners.worker.sdk_worker import SdkHarness

from tocsin.engines.beam.state_sizes import our_state_sizes

# Bytes of state that a worker caches between bundles. The runner invalidates stale entries.
STATE_CACHE = 128 * 2**20


def work(name: str, control: str, logs: str) -> None:
    """Work until the runner closes the connection.

    name: the worker's id. control, logs: addresses of the runner's services; `logs` may be empty.
    """
    logging.getLogger().setLevel(logging.WARNING)
    if logs:
        handler = FnApiLogRecordHandler(endpoints_pb2.ApiServiceDescriptor(url=logs))
        logging.getLogger().addHandler(handler)
    with our_state_sizes():
        SdkHarness(control, worker_id=name, state_cache_size=STATE_CACHE).run()
