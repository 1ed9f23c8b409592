"""What a worker process of a job on Flink does."""

from __future__ import annotations

import logging
from typing import Any

from apache_beam.portability.api import endpoints_pb2
from apache_beam.runners.worker import statecache
from apache_beam.runners.worker.log_handler import FnApiLogRecordHandler
from apache_beam.runners.worker.sdk_worker import SdkHarness

# Bytes of state that a worker keeps between bundles; the runner says when it is stale.
STATE_CACHE = 128 * 2**20
_OBJECT = 64


def weigh(*values: Any) -> int:
    """Bytes of cached state. Ours is byte strings in lists; Beam's own way walks over every module to weigh each of them."""
    total = 0
    for value in values:
        if isinstance(value, (bytes, str)):
            total += len(value) + _OBJECT
        elif isinstance(value, (list, tuple)):
            total += _OBJECT + sum(weigh(one) for one in value)
        else:
            total += _OBJECT
    return total


def work(name: str, control: str, logs: str) -> None:
    """Work until the runner hangs up. control, logs: addresses of its services."""
    logging.getLogger().setLevel(logging.WARNING)
    if logs:
        handler = FnApiLogRecordHandler(endpoints_pb2.ApiServiceDescriptor(url=logs))
        logging.getLogger().addHandler(handler)
    statecache.get_deep_size = weigh
    SdkHarness(control, worker_id=name, state_cache_size=STATE_CACHE).run()
