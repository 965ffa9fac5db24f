"""The store that is an InfluxDB 1.x, 2.x or 3.x server."""
