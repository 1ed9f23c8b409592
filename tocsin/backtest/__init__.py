"""Runs a job on recorded readings without an engine, and compares the alarms of two versions."""
