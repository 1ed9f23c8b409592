"""Windows, calendars, sessions, lateness and durations."""
