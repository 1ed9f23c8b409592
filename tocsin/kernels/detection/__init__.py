"""Kernels for detectors: tails, medians, least squares, profiles, principal components."""
