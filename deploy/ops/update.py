"""Replaces the images of a running stack by others; goes back by itself if the new ones do not work.

The new images wait under a tag of their own until all is known that can be known without starting them. Then the queue
is held, the names that compose and runs use are moved to them, and the stack is started. Containers of runs belong to
no service and know their image by its digest, so they go on; runs in the queue start on the new image.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.ops.engine import TREE, Compose, OperatorError, exists, inspect, repository, run, say
from deploy.ops.locations import reload_locations, runs_in_progress

CANDIDATE, PREVIOUS = "candidate", "previous"
LOOK_EVERY_S = 5
DESCRIBE = """
import json, dagster
from doc_assets.definitions import defs
try:
    from doc_assets.archive.ledger.database import SCHEMA_REVISION
except ImportError:  # an image from before 2026-11-28
    from doc_assets.ledger.database import SCHEMA_REVISION
defs()
print(json.dumps({"revision": SCHEMA_REVISION, "dagster": dagster.__version__}))
"""
TO_REVISION = 'DOC_ASSETS_LEDGER_URL="$STACK_LEDGER_MIGRATOR_URL" exec doc-assets migrate --to '


def main(arguments: list[str]) -> int:
    """Returns the exit code: 0 updated, 1 not (the stack runs as before, or it says that it does not), 2 wrong use."""
    parser = argparse.ArgumentParser(prog="update", description=(__doc__ or "").splitlines()[0])
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--release", default="", help="tag of images that are here already, e.g. from deploy/airgap install"
    )
    which.add_argument("--back", action="store_true", help="to the images before the last update")
    parser.add_argument(
        "--lose-newer-tables", action="store_true", help="with --back: take back what the update did to tables"
    )
    parser.add_argument("--file", action="append", default=[], help="compose file; may be repeated")
    parser.add_argument("--wait", type=int, default=600, help="seconds until everything must be healthy")
    parser.add_argument(
        "--wait-for-runs", type=int, default=14400, help="seconds that runs may take, if they must end first"
    )
    asked = parser.parse_args(arguments)
    try:
        update = Update(Compose(asked.file), asked.wait, asked.wait_for_runs)
        update.go(asked.release or (PREVIOUS if asked.back else ""), may_go_down=asked.lose_newer_tables)
    except OperatorError as error:
        say(f"update: {error}")
        return 1
    return 0


@dataclass(frozen=True)
class Kind:
    """What two images must share for runs of the old one to go on beside the new one."""

    revision: str
    """Of the ledger's tables."""
    dagster: str


class Update:
    """One update of the stack in this tree.

    Args:
        compose: the stack.
        wait_s: how long the start may take until everything is healthy.
        wait_for_runs_s: how long runs may take that must end first.
    """

    def __init__(self, compose: Compose, wait_s: int, wait_for_runs_s: int) -> None:
        self._compose, self._wait_s, self._wait_for_runs_s = compose, wait_s, wait_for_runs_s
        self._config = compose.config()
        services: dict[str, Any] = self._config["services"]
        self._names = sorted({service["image"] for service in services.values() if "build" in service})
        self._code = str(services["user-code"]["image"])
        self._once = [name for name, service in services.items() if service.get("restart") == "no"]
        self._but_daemon = [name for name in services if name != "daemon"]
        self._runs_survive = "socket-proxy" in services  # else they are processes of the code server

    def go(self, tag: str, *, may_go_down: bool = False) -> None:
        """Updates to images of a tag, or to those that are built now.

        Args:
            tag: of images on this machine; empty to build.
            may_go_down: whether tables may be brought back to an older revision, which loses what newer ones hold.

        Raises:
            OperatorError: if the stack was not updated; it says what runs now.
        """
        if not self._compose("ps", "--quiet", "user-code").stdout.strip():
            raise OperatorError("No stack is running here. The first start is `docker compose up --detach --wait`.")
        self._need_secrets()
        if tag:
            wanted = {name: f"{repository(name)}:{tag}" for name in self._names}
            wanted = {name: other for name, other in wanted.items() if other != name}
            missing = [other for other in wanted.values() if not exists(other)]
            if missing:
                raise OperatorError(f"These images are not on this machine: {', '.join(missing)}.")
        else:
            wanted = self._build()
        before = {name: str(inspect(name)["Id"]) for name in wanted}
        after = {name: str(inspect(other)["Id"]) for name, other in wanted.items()}
        if before == after:
            say("nothing to do: these images are in use already")
            return
        old, new = self._kind(self._code), self._kind(wanted[self._code])
        if new.revision < old.revision and not may_go_down:
            raise OperatorError(
                f"Those images need tables of revision {new.revision}, they have {old.revision}. Going back loses "
                "what newer tables and columns hold: make a backup, then add --lose-newer-tables."
            )
        self._change(before, after, old, new)

    def _need_secrets(self) -> None:
        """A release may name secrets that the one before did not know."""
        named = [Path(secret["file"]) for secret in self._config.get("secrets", {}).values()]
        missing = sorted(str(path) for path in named if _is_missing(path))
        if missing:
            raise OperatorError(
                f"{', '.join(missing)} is missing, nothing was changed. Run deploy/init: it makes what is missing and "
                "keeps the rest."
            )

    def _build(self) -> dict[str, str]:
        candidates = {name: f"{repository(name)}:{CANDIDATE}" for name in self._names}
        services = {
            name: {"image": candidates[service["image"]], "build": service["build"]}
            for name, service in self._config["services"].items()
            if "build" in service
        }
        config = {"name": self._config["name"], "services": services}  # compose does not read all that it prints
        say(f"building {', '.join(candidates.values())}")
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(config, file)
            file.flush()
            run("docker", "compose", "--file", file.name, "build", folder=TREE)
        return candidates

    def _kind(self, image: str) -> Kind:
        """Asks an image what it is, without network or files of the stack: one that cannot be loaded is not tried."""
        options = ["--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"]
        options += ["--env", "DOC_ASSETS_HOME=/tmp/home", "--env", "DOC_ASSETS_LOG_DIR=/tmp/log"]
        done = run("docker", "run", *options, image, "python", "-c", DESCRIBE, check=False)
        if done.returncode:
            raise OperatorError(f"{image} cannot be loaded, nothing was changed: {done.stderr.strip()[-800:]}")
        return Kind(**json.loads(done.stdout.splitlines()[-1]))

    def _change(self, before: dict[str, str], after: dict[str, str], old: Kind, new: Kind) -> None:
        say("holding the queue")
        self._compose("stop", "daemon")
        try:
            if old != new or not self._runs_survive:
                self._wait_for_runs(old, new)
        except OperatorError:
            self._compose("start", "daemon")
            raise
        self._name(before, PREVIOUS)
        try:
            if new.revision < old.revision:
                self._bring_tables_to(new.revision)
            self._start(after)
        except OperatorError as error:
            say(f"the new images do not work: {error}\ngoing back")
            self._back(before, old, new)
            raise OperatorError("The stack runs on the images before; nothing was updated.") from error
        say(f"updated; the images before are tagged {PREVIOUS}, `deploy/update --back` returns to them")

    def _wait_for_runs(self, old: Kind, new: Kind) -> None:
        why = f"tables or Dagster change ({old} -> {new})" if old != new else "runs are processes of the code server"
        end = time.monotonic() + self._wait_for_runs_s
        while runs := runs_in_progress(self._compose):
            if time.monotonic() > end:
                raise OperatorError(f"{len(runs)} runs are still in progress, and {why}; nothing was changed.")
            say(f"waiting for {len(runs)} runs: {why}")
            time.sleep(LOOK_EVERY_S)

    def _start(self, images: dict[str, str]) -> None:
        for name, image in images.items():
            run("docker", "tag", image, name)
        say("starting")
        # Compose makes anew whatever depends on what it makes anew, PostgreSQL behind `configure` too; runs in progress
        # would lose their database. One-shot services are therefore made anew before, by themselves.
        self._compose("up", "--no-start", "--no-deps", "--no-build", *self._once)
        up = ("up", "--detach", "--wait", "--no-build", "--wait-timeout", str(self._wait_s))
        self._compose(*up, *self._but_daemon)
        names = reload_locations(self._compose)
        container = self._compose("ps", "--quiet", "user-code").stdout.strip()
        running = json.loads(run("docker", "inspect", container).stdout)[0]["Image"]
        if running != images.get(self._code, running):
            raise OperatorError(f"The code server still runs {running}.")
        self._compose(*up, "--no-deps", "daemon")  # last: no run of the queue starts on code that does not load
        say(f"healthy; loaded {', '.join(names)}")

    def _back(self, images: dict[str, str], old: Kind, new: Kind) -> None:
        if old.revision < new.revision:
            self._bring_tables_to(old.revision)
        try:
            self._start(images)
        except OperatorError as error:
            raise OperatorError(
                f"Neither the new images nor those before start: {error} See `docker compose logs`."
            ) from error

    def _bring_tables_to(self, revision: str) -> None:
        """By the newer image, which still has the name: the older one does not know the way back."""
        self._compose("run", "--rm", "--no-deps", "-T", "migrate", "sh", "-c", TO_REVISION + revision)

    def _name(self, images: dict[str, str], tag: str) -> None:
        for name, image in images.items():
            run("docker", "tag", image, f"{repository(name)}:{tag}")


def _is_missing(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except PermissionError:  # the engine may look into the folder where we may not
        return False
    return False
