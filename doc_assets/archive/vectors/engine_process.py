"""What is done with an embedded collection in a process of its own.

The optimizer holds the interpreter lock for as long as it works, and the engine may end the process that opens damaged
files. The caller holds the store's lock and has closed the collection.
"""

import subprocess
import sys
from pathlib import Path

from doc_assets.errors import StoreUnavailableError

_POINTS_PER_REQUEST = 512


def optimize(folder: Path) -> None:
    """Builds the search graph of the collection in a folder.

    Raises:
        StoreUnavailableError: if that failed.
    """
    done = _run("optimize", folder)
    if done.returncode:
        raise StoreUnavailableError(f"The search index in {folder} could not be built: {done.stderr.strip()[-500:]}")


def read_through(folder: Path) -> str | None:
    """Reads the collection in a folder to its last point; returns what is wrong with it, None if nothing is."""
    done = _run("read", folder)
    if done.returncode == 0:
        return None
    said = [line for line in done.stderr.splitlines() if line.strip()]
    engine = next((line for line in said if "panicked" in line or "rror" in line), said[-1] if said else "")
    return f"its files are damaged (reading them ended with {done.returncode}: {engine.strip()[:300]})"


def _run(work: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", __name__, work, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)


def _main(work: str, folder: str) -> None:
    import qdrant_edge as edge

    shard = edge.EdgeShard.load(folder)
    if work == "optimize":
        shard.optimize()
        shard.flush()
    else:
        offset = None
        while True:
            request = edge.ScrollRequest(offset=offset, limit=_POINTS_PER_REQUEST, with_payload=True, with_vector=True)
            _, offset = shard.scroll(request)
            if offset is None:
                break
    shard.close()


if __name__ == "__main__":
    _main(*sys.argv[1:])
