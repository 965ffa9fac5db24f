"""Reading the archive over HTTP, as `archioc.Client`."""
