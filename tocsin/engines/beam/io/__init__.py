"""Batches into and out of Beam: sources, coders and row conversion."""
