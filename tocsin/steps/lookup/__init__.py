"""Columns from a registry that is a topic."""
