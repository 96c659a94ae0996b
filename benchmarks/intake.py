"""Intake: seconds of one look of the sensor at a drop folder with many files.

    python -m benchmarks.intake [--files 10000 100000]

The first look lists and notes all files, the later ones find them standing still and seal ten drops of 2,000 each.
"""

import shutil
import time
from datetime import UTC, datetime, timedelta

from benchmarks.report import arguments, print_table, save
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.pipeline.intake import IntakeRules, look

LOOKS = 4


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--files", type=int, nargs="+", default=[10_000, 100_000])
    options = parser.parse_args()
    rows = []
    for files in options.files:
        folder = options.work / f"intake-{files}"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "in").mkdir(parents=True)
        for i in range(files):
            (folder / "in" / f"N{i:08d}.tif").touch()
        rules = IntakeRules(settle_s=0, drop_max_documents=2000, drops_per_look=10)
        now, seconds = datetime.now(UTC), []
        with Ledger.open(f"sqlite:///{folder / 'ledger.sqlite'}") as ledger:
            for i in range(LOOKS):
                began = time.monotonic()
                look(ledger, folder / "in", rules, now + timedelta(minutes=i))
                seconds.append(time.monotonic() - began)
        rows.append({"files": files, "first_look_s": seconds[0], "slowest_later_look_s": max(seconds[1:])})
        shutil.rmtree(folder)
    print_table(rows)
    save("intake", {"files": options.files, "looks": LOOKS}, rows)


if __name__ == "__main__":
    main()
