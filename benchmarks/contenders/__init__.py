"""The systems that do the same work."""
