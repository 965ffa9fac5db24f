"""`archioc channels`."""
