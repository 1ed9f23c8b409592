"""Delta tables of our own Parquet files: what is in them, and commits that hold under crashes."""
