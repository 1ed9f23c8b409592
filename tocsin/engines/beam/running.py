"""Running a checked job: bounded on Beam's local runner, live on Prism."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_fn_api_pb2
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import PipelineState
from apache_beam.runners.worker import sdk_worker

from tocsin.compiler.job import Job
from tocsin.compiler.lower import lower, sinks
from tocsin.engines.beam.operators.metrics import ledger_of
from tocsin.engines.beam.yaml_adapter import expand
from tocsin.foundation.failure import Failure, sentence_in
from tocsin.foundation.ledger import Ledger

# Seconds between two looks at a live job's counters.
REFRESH = 2.0


def local_pipeline() -> beam.Pipeline:
    """A pipeline on Beam's in-process runner, asked for by name: "DirectRunner" would look for Prism and download it."""
    return beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([]))


def run_bounded(job: Job) -> Ledger:
    """Read what is in the inputs now, to the end. Raises Failure with one sentence where something outside is wrong.

    It runs on a thread of its own, so that an interrupt ends the wait for it. On the main thread an interrupt comes up within
    a step, and Beam raises it anew as an error of that step, or a callback from C swallows it.
    """
    check_targets(job)
    return ThreadPoolExecutor(1, "job").submit(_run_bounded, job).result()


def _run_bounded(job: Job) -> Ledger:
    pipeline = local_pipeline()
    with told_in_a_sentence():
        expand(pipeline, lower(job))
        result = pipeline.run()
        result.wait_until_finish()
        return ledger_of(result).in_order(_counted(job))


def run_live(job: Job, prism: str) -> Ledger:
    """Read on until interrupted, on Prism."""
    check_targets(job)
    options = PipelineOptions(
        [f"--prism_location={prism}", "--environment_type=LOOPBACK", "--job_name=" + job.name]
    )
    pipeline = beam.Pipeline(runner="PrismRunner", options=options)
    sdk_worker.SdkWorker.process_bundle_split = _whole
    with told_in_a_sentence():
        expand(pipeline, lower(job, live=True))
        result = pipeline.run()
        names = _counted(job)
        ledger = Ledger().in_order(names)
        try:
            while not PipelineState.is_terminal(result.state):
                time.sleep(REFRESH)
                ledger = ledger_of(result).in_order(names)
        except KeyboardInterrupt:
            # Beam's connections to a worker that is going away complain from their own threads.
            threading.excepthook = lambda _: None
            # An interrupt from a terminal reaches Prism too, so it may be gone: what was counted last is told.
            with suppress(Exception):
                ledger = ledger_of(result).in_order(names)
            with suppress(Exception):
                result.cancel()
            return ledger
        if result.state != PipelineState.DONE:
            raise Failure(f"the job ended on Prism as {result.state}; its reasons are above")
        return ledger


def _whole(_worker: Any, _request: Any, instruction_id: str) -> Any:
    """Prism splits a bundle that takes long. Of a bundle of timers it then fires one twice, so bundles stay whole."""
    empty = beam_fn_api_pb2.ProcessBundleSplitResponse()
    return beam_fn_api_pb2.InstructionResponse(
        instruction_id=instruction_id, process_bundle_split=empty
    )


def _counted(job: Job) -> list[str]:
    """The steps that the ledger tells of: stock Beam transforms count nothing."""
    return [step.name for step in job.steps if step.part is not None]


def check_targets(job: Job) -> None:
    """Raises Failure where a sink's target cannot be written."""
    for _, sink in sinks(job):
        sink.check_target()


@contextmanager
def told_in_a_sentence() -> Iterator[None]:
    """A failure in a worker comes back as a long text; its sentence is what the user needs."""
    try:
        yield
    except Failure:
        raise
    except Exception as error:
        sentence = sentence_in(str(error))
        if sentence is None:
            raise
        raise Failure(sentence) from error


def quiet_beam() -> None:
    """Beam logs what does not concern a user: missing optional packages, stages, workers."""
    logging.getLogger().setLevel(logging.CRITICAL)
    for name in ("apache_beam", "apache_beam.runners"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
