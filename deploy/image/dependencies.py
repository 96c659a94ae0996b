"""Prints what ``pyproject.toml`` asks for, one requirement a line: ``runtime [EXTRA,...]`` (with s3) or ``dev``."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
groups = project["optional-dependencies"]
if sys.argv[1] == "runtime":
    extras = {"s3", *(extra for extra in "".join(sys.argv[2:]).split(",") if extra)}
    wanted = [*project["dependencies"], *(line for extra in sorted(extras) for line in groups[extra])]
else:
    wanted = groups["dev"]
sys.stdout.write("\n".join(wanted) + "\n")
