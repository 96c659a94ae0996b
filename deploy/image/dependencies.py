"""Prints what ``pyproject.toml`` asks for, one requirement a line: ``runtime`` (with object storage) or ``dev``."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
extras = project["optional-dependencies"]
wanted = [*project["dependencies"], *extras["s3"]] if sys.argv[1] == "runtime" else extras["dev"]
sys.stdout.write("\n".join(wanted) + "\n")
