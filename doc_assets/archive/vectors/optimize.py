"""Builds the search graph of one embedded collection: ``python -m doc_assets.archive.vectors.optimize FOLDER``.

The caller holds the store's lock and has closed the collection.
"""

import sys


def main() -> None:
    """Optimizes until nothing is left to do."""
    import qdrant_edge as edge

    shard = edge.EdgeShard.load(sys.argv[1])
    shard.optimize()
    shard.flush()
    shard.close()


if __name__ == "__main__":
    main()
