"""Reading a lake: views over its files, and a check against the topics that it was made from."""
