"""The program as its users run it: in a folder, with no settings but those given.

A command runs in the process of the tests, which has imported and loaded everything once. It is a process of its own
only where the process is the subject: rights, signals, servers, two at once, what is imported.
"""

import json
import logging
import os
import shutil
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from unittest import mock

import pytest
from typer.testing import CliRunner

from doc_assets.cli.shell import app
from doc_assets.ops.logs import LOGGER
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


def in_process(
    arguments: Sequence[object], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end in this process, with this environment alone; a defect ends it with its traceback."""
    command = [*map(str, arguments)]
    with chdir(folder), mock.patch.dict(os.environ, dict(environment), clear=True), _own_log():
        result = CliRunner().invoke(app, command, prog_name="doc-assets")
    error = result.exception
    told = "" if error is None or isinstance(error, SystemExit) else "".join(traceback.format_exception(error))
    return subprocess.CompletedProcess(command, result.exit_code, result.stdout, result.stderr + told)


@contextmanager
def _own_log() -> Iterator[None]:
    """The log of a command ends with it."""
    logger = logging.getLogger(LOGGER)
    level, propagates, handlers = logger.level, logger.propagate, list(logger.handlers)
    try:
        yield
    finally:
        for handler in set(logger.handlers) - set(handlers):
            with suppress(OSError):  # a full disk; Python says nothing either when it ends
                handler.close()
        logger.handlers[:] = handlers
        logger.level, logger.propagate = level, propagates


@dataclass(frozen=True)
class Program:
    """``doc-assets`` in a folder; its ``.env`` counts, the settings of whoever runs the tests do not.

    Attributes:
        folder: where it is started.
        environment: its settings.
        start: what its command begins with; then it is a process of its own.
    """

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    start: tuple[str, ...] = ()

    @classmethod
    def at_home(cls, folder: Path) -> Self:
        """The program with its home and its logs in a folder, whatever ``.env`` says."""
        return cls(folder, {"DOC_ASSETS_HOME": str(folder / "home"), "DOC_ASSETS_LOG_DIR": str(folder / "log")})

    @property
    def home(self) -> Path:
        """Its home, of a program made ``at_home``."""
        return Path(self.environment["DOC_ASSETS_HOME"])

    def __call__(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end."""
        if self.start:
            return self.process(*arguments, **environment)
        return in_process(arguments, self.folder, outside_environment() | self.environment | environment)

    def process(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end as a process of its own."""
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

    def done(self, *arguments: object, **environment: str) -> str:
        """What a command says that must succeed."""
        ended = self(*arguments, **environment)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def json(self, *arguments: object, **environment: str) -> Any:
        """What a command says with ``--json``; it must succeed."""
        return json.loads(self.done(*arguments, "--json", **environment))
