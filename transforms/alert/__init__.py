"""Steps that raise alarms for single readings."""
