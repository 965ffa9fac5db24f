"""`archioc run`."""
