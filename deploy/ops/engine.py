"""The Docker engine of this machine, and what an operator reads."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

TREE = Path(__file__).resolve().parents[2]
BLOCK = 1 << 20


class OperatorError(Exception):
    """What the person at the terminal must know; ends the program with 1."""


def say(text: str) -> None:
    """A line for the person at the terminal."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def run(*command: str, check: bool = True, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A program without a shell, its output captured.

    Raises:
        OperatorError: if it fails and ``check`` is set.
    """
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder)
    except FileNotFoundError as error:
        raise OperatorError(f"{command[0]} is missing on this machine; install it.") from error
    if check and done.returncode:
        raise OperatorError(f"`{' '.join(command)[:200]}` ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done


def inspect(image: str) -> dict[str, Any]:
    """What the engine knows of an image.

    Raises:
        OperatorError: if there is no such image.
    """
    done = run("docker", "image", "inspect", image, check=False)
    if done.returncode:
        raise OperatorError(f"There is no image {image} on this machine: {done.stderr.strip()[-300:]}")
    found: dict[str, Any] = json.loads(done.stdout)[0]
    return found


def exists(image: str) -> bool:
    """Whether the engine holds an image of this name."""
    return run("docker", "image", "inspect", image, check=False).returncode == 0


def repository(image: str) -> str:
    """An image's name without its tag; a port of a registry is no tag."""
    return image.rsplit(":", 1)[0] if ":" in image.rsplit("/", 1)[-1] else image


def digest(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    found = hashlib.sha256()
    with path.open("rb") as content:
        while block := content.read(BLOCK):
            found.update(block)
    return found.hexdigest()


class Compose:
    """``docker compose`` in this tree, with the files of ``COMPOSE_FILE`` or those named."""

    def __init__(self, files: list[str]) -> None:
        self._base = ["docker", "compose", *(part for file in files for part in ("--file", file))]

    def __call__(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a command of compose; see ``run``."""
        return run(*self._base, *command, check=check, folder=TREE)

    def config(self) -> dict[str, Any]:
        """The compose files as compose understands them, profiles applied."""
        found: dict[str, Any] = json.loads(self("config", "--format", "json").stdout)
        return found
