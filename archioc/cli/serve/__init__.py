"""`archioc serve`."""
