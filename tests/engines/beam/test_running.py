"""The command silences Beam's log but no other; failures come as one sentence."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import apache_beam as beam
import pytest

from tocsin.engines.beam.running import one_sentence_failures, quiet_beam
from tocsin.foundation.beam_records import is_not_beams
from tocsin.foundation.failure import Failure


@pytest.fixture
def quiet() -> Iterator[None]:
    """Quiet, and as before afterwards."""
    loggers = [logging.getLogger(name) for name in ("apache_beam", "tocsin")]
    levels = [logger.level for logger in loggers]
    quiet_beam()
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    logging.getLogger().removeFilter(is_not_beams)


def test_beams_records_are_dropped_and_a_programs_own_pass(
    quiet: None, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger().warning("ours on the root logger")
    logging.getLogger("city").warning("ours on a logger")
    logging.getLogger("apache_beam.runners").error("Beam's")
    theirs = logging.LogRecord("root", logging.WARNING, beam.__file__, 1, "Beam's", None, None)
    logging.getLogger().handle(theirs)
    assert [record.message for record in caplog.records] == [
        "ours on the root logger",
        "ours on a logger",
    ]


def test_a_failure_within_beams_text_becomes_a_failure_with_its_sentence() -> None:
    with pytest.raises(Failure) as raised, one_sentence_failures():
        raise RuntimeError("Traceback of a worker …\nFailure: [[no such topic 'a']] [while …]")
    assert raised.value.sentence == "no such topic 'a'"


@pytest.mark.parametrize("error", [ValueError("a bug"), Failure("already a sentence")])
def test_other_errors_pass_unchanged(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, one_sentence_failures():
        raise error
    assert raised.value is error
