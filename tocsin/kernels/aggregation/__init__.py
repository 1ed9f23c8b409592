"""Accumulators, sums, sketches and grouping."""
