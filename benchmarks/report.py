"""What all benchmarks share: where test material lies, tables, JSON, a home of their own."""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
SHARED = PROJECT.parent / "shared"
"""Real photographs and a composer of documents; see ``compose``."""
RESULTS = Path(__file__).with_name("results")
PROGRAM = Path(sys.executable).with_name("doc-assets")
Row = dict[str, Any]


def print_table(rows: Sequence[Row]) -> None:
    """Rows as aligned columns."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_cell(row.get(name)) for name in names] for row in rows]
    widths = [max(len(name), *(len(line[i]) for line in cells)) for i, name in enumerate(names)]
    for line in (names, *cells):
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else "" if value is None else str(value)


def save(name: str, settings: Row, rows: Sequence[Row]) -> None:
    """The table, the settings and the machine as ``benchmarks/results/<name>.json``."""
    RESULTS.mkdir(exist_ok=True)
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
    content = {"at": datetime.now(UTC).isoformat(), "machine": machine, "settings": settings, "rows": list(rows)}
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    print(f"\n{path.relative_to(PROJECT)}")


def compose(out: Path, **options: str | int | float | None) -> Path:
    """A corpus of the shared composer in ``out``; an option of None is a flag. Kept if it is there already."""
    if (out / "truth.json").exists():
        return out
    command = [sys.executable, str(SHARED / "tools" / "compose_corpus.py"), "--photos", str(SHARED / "photos")]
    command += ["--out", str(out)]
    for name, value in options.items():
        command += [f"--{name.replace('_', '-')}"] + ([] if value is None else [str(value)])
    subprocess.run(command, check=True)
    return out


class Home:
    """A home of a benchmark's own, and the program run in it."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("DOC_ASSETS_", "DAGSTER_"))}
        own = {"DOC_ASSETS_HOME": str(folder), "DOC_ASSETS_LOG_DIR": str(folder / "log")}
        self.environment = {**kept, **own, **environment}

    def run(self, *arguments: object) -> tuple[subprocess.CompletedProcess[str], float]:
        """The command's end and its wall seconds; an error ends the benchmark."""
        began = time.monotonic()
        done = subprocess.run(
            [str(PROGRAM), *map(str, arguments)], env=self.environment, capture_output=True, text=True, check=False
        )
        took = time.monotonic() - began
        if done.returncode:
            sys.exit(f"{' '.join(map(str, arguments))} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done, took


def arguments(description: str | None) -> argparse.ArgumentParser:
    """A parser with what every benchmark takes."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("/tmp/doc_assets_benchmarks"), help="scratch folder")
    return parser
