"""Beam's records on the root logger, which belongs to the program that embeds us."""

from __future__ import annotations

import logging
import os

_BEAM = f"{os.sep}apache_beam{os.sep}"


def is_not_beams(record: logging.LogRecord) -> bool:
    """Whether no file of Beam wrote a record."""
    return _BEAM not in record.pathname


def drop_beam_records() -> None:
    """Drop what Beam's own files log on the root logger; its level and handlers stay.

    A second call changes nothing.
    """
    logging.getLogger().addFilter(is_not_beams)
