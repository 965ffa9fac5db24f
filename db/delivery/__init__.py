"""From the spool to the store: order, retries, parallel writes, quarantine."""
