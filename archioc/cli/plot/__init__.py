"""`archioc plot`."""
