"""Aggregations: what a window says of its readings."""
