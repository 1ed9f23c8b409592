"""Steps that need the rows of a key in event-time order."""
