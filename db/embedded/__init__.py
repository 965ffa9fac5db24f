"""The embedded store: DuckDB, a file a day."""
