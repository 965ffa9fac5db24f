"""`archioc grafana`."""
