"""Alarm life cycle and alarm management, compiled."""
