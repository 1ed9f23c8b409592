"""Deduplicate: one row of each identity."""
