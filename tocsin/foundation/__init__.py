"""What every layer may use: faults, failures, the sandbox, the ledger."""
