"""Accumulators, exact sums, sketches, time series and grouping."""
