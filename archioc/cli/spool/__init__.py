"""`archioc spool`."""
