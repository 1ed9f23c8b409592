"""Engines: each one runs a checked job."""
