"""Engines: what runs a checked job."""
