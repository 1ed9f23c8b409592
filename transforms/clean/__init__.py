"""Transforms that reject or filter readings."""
