"""Which channel has which table row, its connection, metadata, groups and gaps."""
