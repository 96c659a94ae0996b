"""Keys to files: building the index of a million names, looking it up again, and resolving a table of keys.

    python -m benchmarks.keys [--files 1000000] [--keys 100000] [--work DIR]

The tree is made of empty files in folders of a thousand, and stays in the scratch folder for the next run. Every tenth
key is missing.
"""

import argparse
import os
import resource
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from upath import UPath

from benchmarks.report import Row, arguments, print_table, save
from doc_assets.sources.file_index import FileIndex
from doc_assets.sources.key_lookup import Resolver
from doc_assets.sources.key_names import NameRule
from doc_assets.sources.key_tables.table import KeyTable

FOLDER_FILES = 1000


def main() -> None:
    options = _options()
    root = UPath(_tree(options.work / "tree", options.files))
    table = _table(options.work / "keys.csv", options.keys, options.files)
    index_file = options.work / "index.sqlite"
    index_file.unlink(missing_ok=True)
    rows: list[Row] = []

    def timed(what: str, run: Callable[[], object]) -> None:
        wall, cpu = time.monotonic(), time.process_time()
        result = run()
        seconds = {"s": time.monotonic() - wall, "cpu_s": time.process_time() - cpu}
        rows.append({"step": what, **seconds, "peak_mb": _peak_mb(), "result": str(result)})

    with FileIndex(index_file) as index:
        resolver = Resolver(index, (root,), NameRule())
        timed("build the index", lambda: index.refresh([root]).files)
        timed("look again", lambda: index.refresh([root]).listed)
        timed("read and resolve the keys", lambda: _resolve(table, resolver))
    print_table(rows)
    save("keys", {"files": options.files, "keys": options.keys}, rows)


def _options() -> argparse.Namespace:
    parser = arguments(__doc__)
    parser.add_argument("--files", type=int, default=1_000_000, help="names in the tree")
    parser.add_argument("--keys", type=int, default=100_000, help="keys in the table")
    return parser.parse_args()


def _tree(folder: Path, files: int) -> Path:
    for number in range(0, files, FOLDER_FILES):
        part = folder / f"{number // FOLDER_FILES // 100:03d}" / f"{number // FOLDER_FILES % 100:02d}"
        if part.is_dir() and len(os.listdir(part)) == FOLDER_FILES:  # noqa: PTH208 - a million entries
            continue
        part.mkdir(parents=True, exist_ok=True)
        for seq in range(number, number + FOLDER_FILES):
            os.close(os.open(part / f"N20240101{seq:07d}THA00100001_{seq % 19 + 1}.tif", os.O_CREAT | os.O_WRONLY))
    return folder


def _table(path: Path, keys: int, files: int) -> Path:
    step = files // keys
    lines = ["파일명,사업자등록번호"]
    for number in range(keys):
        seq = number * step if number % 10 else files + number
        lines.append(f"N20240101{seq:07d}THA00001,{number}")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _resolve(path: Path, resolver: Resolver) -> str:
    with KeyTable.read(path) as table:
        states = Counter(found.state for found in resolver.resolve(table.rows()))
    return ", ".join(f"{n} {state}" for state, n in sorted(states.items()))


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


if __name__ == "__main__":
    main()
