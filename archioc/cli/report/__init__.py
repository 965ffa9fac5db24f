"""`archioc report`."""
