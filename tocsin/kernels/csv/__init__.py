"""Comma-separated values: records of cells, and cells as values of a type."""
