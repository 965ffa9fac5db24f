"""`archioc demo`."""
