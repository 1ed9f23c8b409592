"""Beam transforms that run the steps."""
