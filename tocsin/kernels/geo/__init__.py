"""Cells, distances and GeoParquet."""
