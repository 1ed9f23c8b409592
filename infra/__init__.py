"""The parts of a cluster."""
