"""Photos -> vectors: one file an embedder, one interface (``base``)."""
