"""ManageAlarms: which alarms reach operators."""
