"""Faults, failures, the sandbox and the ledger, which every layer may use."""
