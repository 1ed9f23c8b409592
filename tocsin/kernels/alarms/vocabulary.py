"""The terms of alarm management as numbers for kernels, in the sense of ISA-18.2."""

from __future__ import annotations

KINDS = (
    "raise",
    "change",
    "clear",
    "acknowledge",
    "suppress",
    "resume",
    "withdraw",
    "flapping",
    "shelve",
    "unshelve",
)
"""Kinds of events, commands and notifications."""

RAISE, CHANGE, CLEAR, ACKNOWLEDGE, SUPPRESS, RESUME, WITHDRAW, FLAPPING, SHELVE, UNSHELVE = range(
    10
)

REVIEW = -1
"""Kind of an item without an event: a wake, or a change upstream."""

NOTHING = -1
"""No row, asset, alarm, command or notification."""

REASONS = (
    "",
    "inhibited",
    "shelved",
    "outside of its schedule",
    "flapping",
    "waiting for an upstream alarm",
)
"""Why an alarm is suppressed, or was."""

NO_REASON, INHIBITED, IS_SHELVED, OFF_SCHEDULE, IS_FLAPPING, DELAYED = range(6)

STATES = (
    "normal",
    "unacknowledged",
    "acknowledged",
    "returned_unacknowledged",
    "shelved",
    "suppressed",
)
"""States of an alarm."""

(
    STATE_NORMAL,
    STATE_UNACKNOWLEDGED,
    STATE_ACKNOWLEDGED,
    STATE_RETURNED,
    STATE_SHELVED,
    STATE_SUPPRESSED,
) = range(6)
