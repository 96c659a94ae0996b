"""Prints a new cuda.lock: the public CUDA build of torch and what it needs beside requirements.lock, with sizes.

python3 deploy/torch/lock.py VERSION >cuda.lock.new && mv cuda.lock.new deploy/torch/cuda.lock
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

LOCK = Path(__file__).resolve().parents[2] / "requirements.lock"

HEAD = """\
# The public build of torch for Linux and its dependencies that requirements.lock lacks; written by `make lock`.
# Behind each package stands the size of its wheel for x86-64, of which deploy/torch/install.py makes the sum.
"""


def normal(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def main(version: str) -> str:
    """All lines; wheels are downloaded where the index gives no metadata of its own."""
    pinned = {normal(line.split("==")[0]) for line in LOCK.read_text(encoding="utf-8").splitlines() if "==" in line}
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-"]
    report = subprocess.run(
        [*command, "--constraint", str(LOCK), f"torch==={version}"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    lines = []
    for package in json.loads(report)["install"]:
        name, found = normal(package["metadata"]["name"]), package["metadata"]["version"]
        if name == "torch" or name not in pinned:
            asked = urllib.request.Request(package["download_info"]["url"], method="HEAD")
            with urllib.request.urlopen(asked, timeout=30) as answer:
                size = int(answer.headers["Content-Length"])
            equals = "===" if name == "torch" else "=="  # ==2.13.0 would let 2.13.0+cpu pass
            lines.append(f"{name}{equals}{found}  # {max(1, round(size / 1e6))} MB\n")
    return HEAD + "".join(sorted(lines))


if __name__ == "__main__":
    sys.stdout.write(main(sys.argv[1]))
