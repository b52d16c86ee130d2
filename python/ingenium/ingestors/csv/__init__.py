"""Market data from files: CSV, JSON, Parquet, Arrow and Feather."""
