"""Transforms that judge readings."""
