"""The alarm event and the quality of the data behind it."""
