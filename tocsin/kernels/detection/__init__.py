"""Kernels that detectors are made of: tails, regression, profiles."""
