"""Detectors: how unusual a reading is."""
