"""The channel table in shared memory: a row for each channel, totals, and what the processes count."""
