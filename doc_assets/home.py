"""Prepares a home: its folders, and the environment that Dagster's processes read."""

import os
from contextlib import suppress
from pathlib import Path

from doc_assets.errors import SetupError
from doc_assets.settings import PREFIX, Settings

PROJECT_DIR = Path(__file__).resolve().parent.parent
WORKSPACE_FILE = PROJECT_DIR / "workspace.yaml"
INSTANCE_FILE = "dagster.yaml"


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
