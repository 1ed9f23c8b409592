"""Transforms that add columns to readings."""
