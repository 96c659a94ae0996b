"""Reads one embedded collection to its last point: ``python -m doc_assets.archive.vectors.probe FOLDER``.

The engine may end the process that opens damaged files. The caller holds the store's lock and has closed the
collection.
"""

import sys


def main() -> None:
    """Loads the collection and reads every point with its vectors."""
    import qdrant_edge as edge

    shard = edge.EdgeShard.load(sys.argv[1])
    offset = None
    while True:
        request = edge.ScrollRequest(offset=offset, limit=512, with_payload=True, with_vector=True)
        _, offset = shard.scroll(request)
        if offset is None:
            break
    shard.close()


if __name__ == "__main__":
    main()
