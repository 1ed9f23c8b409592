"""What all steps with state share."""
