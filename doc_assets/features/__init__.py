"""Photo -> numbers: vectors (``embedders/``), keypoints with descriptors (``sift``), visual words, and their models."""
