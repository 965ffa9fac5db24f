"""Real processes for tests, each on loopback ports of its own: soft IOCs, an InfluxDB server, CA clients."""
