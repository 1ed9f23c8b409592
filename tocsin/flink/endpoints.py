"""The addresses of a Flink cluster."""

from __future__ import annotations

import os
from dataclasses import dataclass

FLINK_VARIABLE = "TOCSIN_FLINK"
JOB_SERVER_VARIABLE = "TOCSIN_JOB_SERVER"
WORKER_POOL_VARIABLE = "TOCSIN_WORKER_POOL"


@dataclass(frozen=True)
class Address:
    """The addresses of a cluster's services.

    Attributes:
        flink: URL of the JobManager's REST interface.
        job_server: host:port of Beam's job server, from here.
        worker_pool: host:port of the worker pool, from a TaskManager.
    """

    flink: str
    job_server: str
    worker_pool: str

    @classmethod
    def found(
        cls, flink: str | None = None, job_server: str | None = None, worker_pool: str | None = None
    ) -> Address:
        """Each address: the argument, else the environment's, else that of a local cluster."""
        return cls(
            flink=(flink or os.environ.get(FLINK_VARIABLE) or "http://127.0.0.1:8081").rstrip("/"),
            job_server=job_server or os.environ.get(JOB_SERVER_VARIABLE) or "127.0.0.1:8099",
            worker_pool=worker_pool or os.environ.get(WORKER_POOL_VARIABLE) or "127.0.0.1:8100",
        )
