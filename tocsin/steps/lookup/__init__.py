"""Lookup: a registry from a topic."""
