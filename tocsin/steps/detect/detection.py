"""What a Detect step is asked to do, with its detector made."""

from __future__ import annotations

from dataclasses import dataclass

from tocsin.alarms.event import AlarmRule
from tocsin.parts.detector import Detector

PLACE = ("latitude", "longitude")
"""Columns with the position of a sensor."""


@dataclass(frozen=True)
class Detection:
    """The parameters of a Detect step that its operator needs.

    name: of the detector. rule: in alarms and their ids. rule_version: eight hexadecimal digits
    that change with the rule's configuration. sensors: a table of the sensors that ought to report.
    """

    name: str
    detector: Detector
    columns: list[str]
    by: list[str]
    alarm: AlarmRule
    score: str
    rule: str
    rule_version: str
    sensors: str | None
    lake: str
