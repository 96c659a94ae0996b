"""Prepares a home: its folders, and the environment that Dagster's processes read; and who may use it now."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from doc_assets.archive.home import restored_here
from doc_assets.errors import HomeBusyError, SetupError
from doc_assets.settings import PREFIX, Settings
from doc_assets.util.files import claim

PROJECT_DIR = Path(__file__).resolve().parents[2]
WORKSPACE_FILE = PROJECT_DIR / "workspace.yaml"
INSTANCE_FILE = "dagster.yaml"
BULK_FOLDERS = ("documents", "photos", "embeddings", "local_features", "page_text")
"""Folders of the bulk root that this program writes; the inbox may be beside them."""
_EXCLUSIVE_CLAIM, _DAEMON_CLAIM = ".exclusive.lock", ".daemon.lock"


def prepare_home(settings: Settings) -> None:
    """Makes the home's folders, links the instance configuration and sets DAGSTER_HOME for this process.

    A ``dagster.yaml`` that an operator put into DAGSTER_HOME stays.

    Raises:
        SetupError: if the home cannot be written or there is no instance configuration.
    """
    try:
        for folder in (settings.dagster_home, settings.log_dir, settings.home / "inbox"):
            folder.mkdir(parents=True, exist_ok=True)
        _link_instance_file(settings.dagster_home / INSTANCE_FILE)
    except OSError as error:
        raise SetupError(
            f"The home {settings.home} or the log folder {settings.log_dir} cannot be written: {error}. "
            f"Set {PREFIX}HOME and {PREFIX}LOG_DIR to folders that this user may write."
        ) from error
    use_home(settings)


def use_home(settings: Settings) -> None:
    """Names the home to whatever Dagster starts in this process and its children; makes nothing."""
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    # Absolute, so that processes started in other folders mean the same home.
    os.environ[f"{PREFIX}HOME"] = str(settings.home)
    os.environ[f"{PREFIX}LOG_DIR"] = str(settings.log_dir)


def _link_instance_file(target: Path) -> None:
    source = PROJECT_DIR / INSTANCE_FILE
    if target.is_symlink() and target.resolve() != source:
        target.unlink()
    if target.exists():
        return
    if not source.exists():
        raise SetupError(
            f"There is no {INSTANCE_FILE} in {PROJECT_DIR} nor in {target.parent}. Run from a checkout of the "
            f"project, or put a {INSTANCE_FILE} into {target.parent}."
        )
    with suppress(FileExistsError):  # another command was quicker
        target.symlink_to(source)


@contextmanager
def restoring(home: Path) -> Iterator[None]:
    """Lets this process use a half-made home while it restores it; one process at a time.

    Raises:
        HomeBusyError: if another process is restoring it.
    """
    place = home / _EXCLUSIVE_CLAIM
    handle = claim(place, _this_process("doc-assets restore"))
    if handle is None:
        raise HomeBusyError(f"The home {home} is being restored by {_holder(place)}. Wait until that is done.")
    restored_here.add(home)
    try:
        yield
    finally:
        restored_here.discard(home)
        os.close(handle)


def claim_daemon(settings: Settings, command: str) -> None:
    """Makes this process, and the program that it becomes, the one daemon of its home.

    Two would seal the same files twice and start every run twice.

    Raises:
        HomeBusyError: if another daemon works on the home; says which.
    """
    place = settings.dagster_home / _DAEMON_CLAIM
    handle = claim(place, _this_process(command))
    if handle is None:
        raise HomeBusyError(
            f"The daemon of the home {settings.home} is running already: {_holder(place)}. Use that one or stop it; a "
            "second one would ingest every drop twice. Another home has a daemon of its own (DOC_ASSETS_HOME)."
        )
    os.set_inheritable(handle, True)  # the program that this process becomes keeps it until it ends


def _this_process(command: str) -> str:
    now = datetime.now(UTC)
    return f"process {os.getpid()} on {socket.gethostname()} ({command}, since {now:%Y-%m-%d %H:%M:%S} UTC)"


def _holder(place: Path) -> str:
    with suppress(OSError):
        return place.read_text(encoding="utf-8", errors="replace").strip() or "another process"
    return "another process"
