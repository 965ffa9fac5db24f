"""`archioc store`."""
