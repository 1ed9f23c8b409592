"""Detectors against labelled series: scores, areas, ranges, windows, delays; a table and plots."""
