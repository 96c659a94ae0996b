"""Ingestion: documents and photos a second, CPU seconds a stage, peak memory at two sizes.

    python -m benchmarks.ingest [--documents 100 1000]

The folder is composed from real photographs in all page styles. Every size is ingested into a home of its own by the
command line, start-up included; memory and CPU time are sampled from outside.
"""

import math
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

from benchmarks.report import PROGRAM, Home, Row, arguments, compose, print_table, save
from doc_assets.archive.ledger.ledger import Ledger

STAGES = ("documents", "photos", "photo_embeddings", "indexed_photos")


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
    watch = _Watch(process.pid)
    if process.wait():
        raise SystemExit(f"ingesting {n} documents failed")
    took = time.monotonic() - began
    watch.stop()
    with Ledger.open(f"sqlite:///{home.folder / 'ledger.sqlite'}") as ledger:
        counts = ledger.documents.counts()
    return {
        "documents": counts.current,
        "photos": counts.photos,
        "seconds": took,
        "documents_per_s": counts.current / took,
        "photos_per_s": counts.photos / took,
        "peak_mib": watch.own_bytes / 2**20,
        "peak_decoder_mib": watch.child_bytes / 2**20,
        "cpu_s": watch.cpu_seconds(),
        **_stages(home.folder, watch),
    }


def _stages(home: Path, watch: "_Watch") -> Row:
    """Wall and CPU seconds of each asset's step, the times from Dagster's own events."""
    import dagster as dg

    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        (run,) = instance.get_runs(filters=dg.RunsFilter(job_name="ingest_drop_job"))
        stats = instance.get_run_step_stats(run.run_id)
    row: Row = {}
    for step in stats:
        if step.start_time and step.end_time and step.step_key in STAGES:
            row[f"{step.step_key}_s"] = step.end_time - step.start_time
            row[f"{step.step_key}_cpu_s"] = watch.cpu_seconds(step.start_time, step.end_time)
    return row


class _Watch:
    """Samples memory and CPU time of a process and its descendants from outside.

    Attributes:
        own_bytes: peak resident memory of the process itself.
        child_bytes: that of its largest descendant.
    """

    def __init__(self, pid: int) -> None:
        self.own_bytes = self.child_bytes = 0
        self._pid, self._stopped = pid, threading.Event()
        self._cpu: list[tuple[float, float]] = []
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()

    def _sample(self) -> None:
        while not self._stopped.wait(0.05):
            self.own_bytes = max(self.own_bytes, _peak_bytes(self._pid))
            descendants = _descendants(self._pid)
            self.child_bytes = max([self.child_bytes, *map(_peak_bytes, descendants)])
            self._cpu.append((time.time(), sum(map(_cpu_seconds, [self._pid, *descendants]))))

    def stop(self) -> None:
        """Ends the sampling."""
        self._stopped.set()
        self._thread.join()

    def cpu_seconds(self, start: float = 0, end: float = math.inf) -> float:
        """CPU seconds used between two times of the clock, of all processes together."""
        within = [seconds for at, seconds in self._cpu if start <= at <= end]
        return max(within) - min(within) if within else 0.0


def _peak_bytes(pid: int) -> int:
    lines = _proc(f"{pid}/status").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process and of its children that have ended (proc_pid_stat(5), fields 14 to 17)."""
    fields = _proc(f"{pid}/stat").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _descendants(pid: int) -> list[int]:
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []
    children = [int(child) for thread in threads for child in _proc(f"{pid}/task/{thread.name}/children").split()]
    return [*children, *(d for child in children for d in _descendants(child))]


def _proc(name: str) -> str:
    """A file of /proc; empty once the process has ended."""
    try:
        return Path("/proc", name).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


if __name__ == "__main__":
    main()
