"""`archioc check`."""
