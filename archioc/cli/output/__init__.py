"""How commands write samples and tables: terminal, CSV, JSON, Parquet."""
