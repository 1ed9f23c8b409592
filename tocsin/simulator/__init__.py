"""A simulated city with labelled anomalies, reproducible from a seed."""
