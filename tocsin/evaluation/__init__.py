"""Evaluates detectors on labelled series: VUS, range and window scores, delays, plots."""
