"""Photos -> vectors: one file an embedder, one interface (``base``), and their Parquet shards."""
