"""Submits a checked job to a Flink cluster through Beam's job server, with the options it needs."""

from __future__ import annotations

import re
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import grpc
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.portable_runner import PortableRunner
from apache_beam.runners.runner import PipelineState

from tocsin import __version__
from tocsin.compiler.job import Job
from tocsin.compiler.lower import lower
from tocsin.engines.beam.running import one_sentence_failures
from tocsin.engines.beam.yaml_adapter import expand
from tocsin.engines.targets import check_targets
from tocsin.flink.code_archive import pack
from tocsin.flink.endpoints import Address
from tocsin.flink.job_metadata import agent, flink_name
from tocsin.foundation.failure import Failure

# A savepoint contains the upper limit of parallelism, so the limit can never change.
MAX_PARALLELISM = 128


@dataclass(frozen=True)
class Settings:
    """How a job runs on a cluster.

    Attributes:
        parallelism: subtasks of each step.
        workers: Python processes of a TaskManager; None for one per subtask.
        live: read on; if False, end after the present content of the inputs.
        checkpoint_interval: milliseconds.
        bundle_time: milliseconds after which a bundle ends.
        checkpoint_timeout: milliseconds.
        savepoint: path to start from; None for an empty state.
        name: the job's name on the cluster; None for the job's own.
    """

    parallelism: int = 1
    workers: int | None = None
    live: bool = True
    checkpoint_interval: int = 1000
    bundle_time: int = 100
    checkpoint_timeout: int = 60_000
    savepoint: str | None = None
    name: str | None = None


class FlinkPipelineRunner(PortableRunner):  # type: ignore[misc]
    """Beam's runner, with transforms identified by their names.

    Beam identifies transforms by number, and Flink stores timers under that number. A step added
    upstream would orphan the timers of all steps downstream when a savepoint is restored.
    """

    def run_portable_pipeline(self, pipeline: Any, options: Any) -> Any:
        """Rename the transforms, then submit."""
        return super().run_portable_pipeline(with_stable_names(pipeline), options)


def with_stable_names(pipeline: Any) -> Any:
    """The pipeline's proto with each transform's unique name as its identity, changed in place.

    Raises ValueError where two transforms have one name.
    """
    transforms = pipeline.components.transforms
    names = {
        identity: re.sub(r"[^A-Za-z0-9.-]+", "_", transform.unique_name)
        for identity, transform in transforms.items()
    }
    if len(set(names.values())) != len(names):
        raise ValueError("two transforms have one name")
    renamed = {names[identity]: transform for identity, transform in transforms.items()}
    for transform in renamed.values():
        inner = [names[identity] for identity in transform.subtransforms]
        del transform.subtransforms[:]
        transform.subtransforms.extend(inner)
    roots = [names[identity] for identity in pipeline.root_transform_ids]
    del pipeline.root_transform_ids[:]
    pipeline.root_transform_ids.extend(roots)
    copies = {
        name: type(transform).FromString(transform.SerializeToString())
        for name, transform in renamed.items()
    }
    transforms.clear()
    for name, transform in copies.items():
        transforms[name].CopyFrom(transform)
    return pipeline


class Submitted:
    """A job that the job server has accepted, and its state there."""

    def __init__(self, result: Any) -> None:
        self._result = result

    def refusal(self) -> str | None:
        """Why the job server gave up; None while it did not."""
        try:
            if self._result.state != PipelineState.FAILED:
                return None
            with one_sentence_failures():
                self._result.wait_until_finish(5000)
        except Failure as failure:
            return failure.sentence
        except grpc.RpcError:
            return None
        except RuntimeError as error:
            return str(error)
        return "the job server gives no reason"


def submit_job(job: Job, address: Address, settings: Settings, state: dict[str, Any]) -> Submitted:
    """Submit a job and return before it runs. Raises Failure with the job server's reason.

    state: the description of the job's state (`tocsin.compiler.state_compatibility`), which Flink
    keeps with the job.
    """
    with tempfile.TemporaryDirectory() as folder, one_sentence_failures():
        try:
            return Submitted(_pipeline(job, address, settings, pack(Path(folder)), state).run())
        except grpc.RpcError as error:
            raise Failure(
                f"Beam's job server at {address.job_server} refused the job: {_reason(error)}"
            ) from None
        except grpc.FutureTimeoutError:
            raise Failure(
                f"no answer from Beam's job server at {address.job_server} (is the cluster up?)"
            ) from None


def rehearse(job: Job, address: Address) -> None:
    """Build the pipeline and check its targets, without submitting it.

    Raises Failure where a submission would fail.
    """
    check_targets(job, live=True)
    with tempfile.TemporaryDirectory() as folder, one_sentence_failures():
        _pipeline(job, address, Settings(), pack(Path(folder)), {})
    host, _, port = address.job_server.rpartition(":")
    try:
        socket.create_connection((host or "127.0.0.1", int(port)), 5).close()
    except (OSError, ValueError) as error:
        raise Failure(
            f"no answer from Beam's job server at {address.job_server}: {error} "
            "(is the cluster up?)"
        ) from None


def _pipeline(
    job: Job, address: Address, settings: Settings, code: Path, state: dict[str, Any]
) -> beam.Pipeline:
    options = PipelineOptions(switches(job, address, settings, code, state))
    pipeline = beam.Pipeline(runner=FlinkPipelineRunner(), options=options)
    expand(pipeline, lower(job, live=settings.live))
    return pipeline


def _reason(error: grpc.RpcError) -> str:
    details = error.details() if callable(getattr(error, "details", None)) else str(error)
    return str(details or error)[:500]


def switches(
    job: Job, address: Address, settings: Settings, code: Path, state: dict[str, Any]
) -> list[str]:
    """Beam's pipeline options of a job. No option holds a secret, because Flink shows them all.

    code: the archive of the job's code. state: the description of the job's state.
    """
    options = [
        f"--job_name={flink_name(settings.name or job.name)}",
        "--streaming",
        f"--job_endpoint={address.job_server}",
        "--environment_type=EXTERNAL",
        f"--environment_config={address.worker_pool}",
        f"--sdk_worker_parallelism={settings.workers or settings.parallelism}",
        f"--extra_package={code}",
        f"--parallelism={settings.parallelism}",
        f"--max_parallelism={MAX_PARALLELISM}",
        f"--checkpointing_interval={settings.checkpoint_interval}",
        # A hanging worker blocks its checkpoint; after this time the job restarts without it.
        f"--checkpoint_timeout_millis={settings.checkpoint_timeout}",
        # Watermarks advance when a bundle ends. With Beam's 1000 ms, the latency of a job with
        # five stages was 18 s; with 100 ms it is 4.5 s.
        f"--max_bundle_time_mills={settings.bundle_time}",
        # Without this option, a bundle's output waits in a buffer, and watermarks stall.
        "--finish_bundle_before_checkpointing",
        # Chaining is on by default, and this switch turns it off. With chaining, the name of a
        # source's state depends on the parallelism, and a savepoint could not change it.
        "--operator_chaining",
        "--externalized_checkpoints_enabled",
        "--retain_externalized_checkpoints_on_cancellation",
        f"--user_agent={agent(__version__, code.stem.rpartition('-')[2], state)}",
    ]
    if not settings.live:
        # Without this option, finished sources keep the job running.
        options.append("--shutdown_sources_after_idle_ms=0")
    if settings.savepoint is not None:
        options.append(f"--savepoint_path={settings.savepoint}")
    return options
