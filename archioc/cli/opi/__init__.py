"""`archioc opi`."""
