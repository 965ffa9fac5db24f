"""`archioc quarantine`."""
