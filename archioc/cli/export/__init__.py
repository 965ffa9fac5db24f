"""`archioc export`."""
