"""Prints what ``pyproject.toml`` asks for, one requirement a line: ``runtime`` or ``dev``."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
wanted = project["dependencies"] if sys.argv[1] == "runtime" else project["optional-dependencies"]["dev"]
sys.stdout.write("\n".join(wanted) + "\n")
