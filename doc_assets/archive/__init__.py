"""What is stored: the ledger, vectors, Parquet shards of photos and features; how they are looked up and checked."""
