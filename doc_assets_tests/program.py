"""The program as its users run it: a process of its own in a folder, with no settings but those given."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from doc_assets_tests.shared import PROJECT

PROGRAM = str(Path(sys.executable).with_name("doc-assets"))


_BOUND = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--")
"""Starts root's programs without the right to read whatever they like."""


def as_ordinary_user() -> tuple[str, ...]:
    """What a command begins with for permissions to bind it; skips the test if root cannot give its rights up."""
    if os.geteuid() != 0:
        return ()
    if shutil.which(_BOUND[0]) is None:
        pytest.skip("root reads everything, and there is no setpriv to take that right away")
    return _BOUND


def outside_environment() -> dict[str, str]:
    """The environment of the tests without the settings of whoever runs them."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("DOC_ASSETS_", "DAGSTER_"))}


@dataclass(frozen=True)
class Program:
    """``doc-assets`` in a folder; its ``.env`` counts, the settings of whoever runs the tests do not."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    start: tuple[str, ...] = ()

    def __call__(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end."""
        return self._run([PROGRAM, *map(str, arguments)], environment)

    def python(self, program: str) -> subprocess.CompletedProcess[str]:
        """Runs a program in the same Python."""
        return self._run([sys.executable, "-c", program], {})

    def module(self, name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Runs a module of the tests in the same Python."""
        return self._run([sys.executable, "-m", name, *map(str, arguments)], {"PYTHONPATH": str(PROJECT)})

    def _run(self, command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.start, *command],
            cwd=self.folder,
            env=outside_environment() | self.environment | environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def json(self, *arguments: object, **environment: str) -> Any:
        """What a command says with ``--json``; it must succeed."""
        done = self(*arguments, "--json", **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)
