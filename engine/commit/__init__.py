"""From samples in memory to batches in the spool: commits, their limits, recovery after a kill."""
