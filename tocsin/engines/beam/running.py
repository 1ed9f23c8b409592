"""Runs a checked job: bounded on Beam's local runner, live on Prism."""

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
from tocsin.compiler.lower import lower
from tocsin.engines.beam.loopback_workers import keep_workers_on_loopback
from tocsin.engines.beam.operators.metrics import ledger_of
from tocsin.engines.beam.state_sizes import our_state_sizes
from tocsin.engines.beam.yaml_adapter import expand
from tocsin.engines.reading.time_range_watch import SOURCE_LOG
from tocsin.engines.targets import check_targets
from tocsin.foundation.beam_records import drop_beam_records
from tocsin.foundation.failure import Failure, sentence_in
from tocsin.foundation.ledger import Ledger

# Seconds between two readings of a live job's counters.
REFRESH = 2.0


def local_pipeline() -> beam.Pipeline:
    """A pipeline on Beam's in-process runner. "DirectRunner" would download Prism."""
    return beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([]))


def run_bounded(job: Job) -> Ledger:
    """Read the present content of the inputs to its end; return the ledger.

    Raises Failure with one sentence where the cause is outside the job, such as a broker or disk.
    """
    # On a thread of its own, an interrupt ends the wait. On the main thread it would surface
    # within a step: Beam reports it as an error of that step, or a callback from C swallows it.
    check_targets(job)
    return ThreadPoolExecutor(1, "job").submit(_run_bounded, job).result()


def _run_bounded(job: Job) -> Ledger:
    pipeline = local_pipeline()
    with one_sentence_failures(), our_state_sizes():
        expand(pipeline, lower(job))
        result = pipeline.run()
        result.wait_until_finish()
        return ledger_of(result).in_order(job.counted())


def run_live(job: Job, prism: str) -> Ledger:
    """Read on Prism until interrupted; return the last ledger.

    prism: path of Prism's binary. Raises Failure where the job ends by itself with an error.
    """
    check_targets(job, live=True)
    options = PipelineOptions(
        [f"--prism_location={prism}", "--environment_type=LOOPBACK", "--job_name=" + job.name]
    )
    pipeline = beam.Pipeline(runner="PrismRunner", options=options)
    sdk_worker.SdkWorker.process_bundle_split = _refuse_split
    keep_workers_on_loopback()
    with one_sentence_failures(), our_state_sizes():
        expand(pipeline, lower(job, live=True))
        result = pipeline.run()
        names = job.counted()
        ledger = Ledger().in_order(names)
        try:
            while not PipelineState.is_terminal(result.state):
                time.sleep(REFRESH)
                ledger = ledger_of(result).in_order(names)
        except KeyboardInterrupt:
            # Beam's connections to an ending worker raise errors on their own threads.
            threading.excepthook = lambda _: None
            # A terminal's interrupt also reaches Prism. If Prism is gone, the last ledger counts.
            with suppress(Exception):
                ledger = ledger_of(result).in_order(names)
            with suppress(Exception):
                result.cancel()
            return ledger
        if result.state != PipelineState.DONE:
            raise Failure(f"the job ended on Prism as {result.state}; its reasons are above")
        return ledger


def _refuse_split(_worker: Any, _request: Any, instruction_id: str) -> Any:
    """Refuse to split a bundle: Prism splits slow bundles, then fires one timer twice."""
    empty = beam_fn_api_pb2.ProcessBundleSplitResponse()
    return beam_fn_api_pb2.InstructionResponse(
        instruction_id=instruction_id, process_bundle_split=empty
    )


@contextmanager
def one_sentence_failures() -> Iterator[None]:
    """Raise a worker's failure as a Failure with its one sentence.

    Beam reports it as a long text of tracebacks. Errors without a sentence pass unchanged.
    """
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
    """Silence the logs of Beam and of our Kafka clients; a failure's sentence says what matters.

    Only the command calls this: a program that embeds tocsin keeps its logging.
    """
    for name in ("apache_beam", "tocsin"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    # What a source says about its data is for the user.
    logging.getLogger(SOURCE_LOG).setLevel(logging.WARNING)
    drop_beam_records()
