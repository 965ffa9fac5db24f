"""`archioc audit`."""
