"""The worker process of a job on Flink."""

from __future__ import annotations

import logging
from typing import Any

from apache_beam.portability.api import endpoints_pb2
from apache_beam.runners.worker import statecache
from apache_beam.runners.worker.log_handler import FnApiLogRecordHandler
from apache_beam.runners.worker.sdk_worker import SdkHarness

# Bytes of state that a worker caches between bundles. The runner invalidates stale entries.
STATE_CACHE = 128 * 2**20
_OBJECT = 64


def state_size(*values: Any) -> int:
    """Bytes of cached state values.

    Our state is byte strings in lists. Beam's own estimate walks over every loaded module for each.
    """
    total = 0
    for value in values:
        if isinstance(value, (bytes, str)):
            total += len(value) + _OBJECT
        elif isinstance(value, (list, tuple)):
            total += _OBJECT + sum(state_size(one) for one in value)
        else:
            total += _OBJECT
    return total


def work(name: str, control: str, logs: str) -> None:
    """Work until the runner closes the connection.

    name: the worker's id. control, logs: addresses of the runner's services; `logs` may be empty.
    """
    logging.getLogger().setLevel(logging.WARNING)
    if logs:
        handler = FnApiLogRecordHandler(endpoints_pb2.ApiServiceDescriptor(url=logs))
        logging.getLogger().addHandler(handler)
    statecache.get_deep_size = state_size
    SdkHarness(control, worker_id=name, state_cache_size=STATE_CACHE).run()
