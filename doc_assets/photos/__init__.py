"""Page -> photos: one file an extractor, one interface (``base``), and straightened crops."""
