"""Measurements of Tocsin and of other systems on the same work; see benchmarks/README.md."""
