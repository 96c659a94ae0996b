"""Page -> photos: one file an extractor, one interface (``base``), crops and their Parquet shards."""
