"""Job files: read with positions, checked all at once, lowered to Beam YAML."""
