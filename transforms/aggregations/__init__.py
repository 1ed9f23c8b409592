"""Aggregations: functions of the readings of a window."""
