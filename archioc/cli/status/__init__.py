"""`archioc status`."""
