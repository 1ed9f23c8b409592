"""Detect: scores and alarms."""
