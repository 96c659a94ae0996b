"""Ingestion: documents and photos a second, CPU seconds a stage, peak memory at two sizes.

    python -m benchmarks.ingest [--documents 100 1000]

The folder is composed from real photographs in all page styles. Every size is ingested into a home of its own by the
command line, start-up included; memory is the largest of any of its processes, sampled from outside.
"""

import shutil
import subprocess
import threading
import time
from pathlib import Path

from benchmarks.report import PROGRAM, Home, Row, arguments, compose, print_table, save
from doc_assets.ledger.ledger import Ledger


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--documents", type=int, nargs="+", default=[100, 1000])
    options = parser.parse_args()
    rows = [_measure(options.work, n) for n in options.documents]
    print_table(rows)
    save("ingest", {"documents": options.documents}, rows)


def _measure(work: Path, n: int) -> Row:
    corpus = compose(work / f"throughput-{n}", archive=n, incoming=0, repeat=None, seed=3)
    home = Home(work / f"home-{n}")
    shutil.rmtree(home.folder, ignore_errors=True)
    began = time.monotonic()
    process = subprocess.Popen(
        [str(PROGRAM), "build-image-index", "--folder", str(corpus / "archive")],
        env=home.environment,
        stdout=subprocess.DEVNULL,
    )
    watch = _MemoryWatch(process.pid)
    if process.wait():
        raise SystemExit(f"ingesting {n} documents failed")
    took = time.monotonic() - began
    peak_self, peak_children = watch.stop()
    with Ledger.open(f"sqlite:///{home.folder / 'ledger.sqlite'}") as ledger:
        counts = ledger.documents.counts()
    return {
        "documents": counts.current,
        "photos": counts.photos,
        "seconds": took,
        "documents_per_s": counts.current / took,
        "photos_per_s": counts.photos / took,
        "peak_mib": peak_self / 2**20,
        "peak_decoder_mib": peak_children / 2**20,
        **_stage_seconds(home.folder),
    }


def _stage_seconds(home: Path) -> Row:
    """Wall seconds of each step of the run, from Dagster's own events."""
    import dagster as dg

    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        (run,) = instance.get_runs(filters=dg.RunsFilter(job_name="ingest_drop_job"))
        stats = instance.get_run_step_stats(run.run_id)
    return {f"{step.step_key}_s": (step.end_time or 0) - (step.start_time or 0) for step in stats if step.start_time}


class _MemoryWatch:
    """Samples the resident memory of a process and its descendants."""

    def __init__(self, pid: int) -> None:
        self._pid, self._stopped = pid, threading.Event()
        self._own = self._children = 0
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()

    def _sample(self) -> None:
        while not self._stopped.wait(0.05):
            self._own = max(self._own, _peak_bytes(self._pid))
            for child in _descendants(self._pid):
                self._children = max(self._children, _peak_bytes(child))

    def stop(self) -> tuple[int, int]:
        """Peak bytes of the process itself and of its largest descendant."""
        self._stopped.set()
        self._thread.join()
        return self._own, self._children


def _peak_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def _descendants(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return []
    return [int(child) for child in children] + [d for child in children for d in _descendants(int(child))]


if __name__ == "__main__":
    main()
