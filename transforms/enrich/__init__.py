"""Transforms that add to readings."""
