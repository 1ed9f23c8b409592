"""Steps that tell of single readings."""
