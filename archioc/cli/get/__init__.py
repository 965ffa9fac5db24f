"""`archioc get`."""
