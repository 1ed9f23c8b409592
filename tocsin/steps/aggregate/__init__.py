"""Aggregate: measures of windows and keys."""
