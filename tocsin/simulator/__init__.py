"""A plausible city to run on: seeded, vectorised, with labelled anomalies."""
