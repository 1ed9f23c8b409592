"""Pure functions on Arrow columns: no Beam, no input or output, no clock."""
