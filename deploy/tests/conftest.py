import os
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.tests.stack import IMAGES, NAME, PROJECT_DIR, Stack
from doc_assets.lab.corpus import DocumentPlan, draw_corpus, plan_corpus


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "more: takes minutes; make test-stack-more runs these, make test-stack the others"
    )


def pytest_collection_modifyitems(items):
    # The desk's documents are more than the others count; the drill destroys the volumes that all the others fill.
    last = {"test_desk.py": 1, "test_backup.py": 2}
    items.sort(key=lambda item: last.get(item.path.name, 0))


def _revision() -> str:
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=PROJECT_DIR, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or "unknown"


@pytest.fixture(scope="session")
def files(tmp_path_factory) -> Stack:
    """A stack that is configured and not started."""
    return Stack(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="session")
def stack(tmp_path_factory):
    """A started stack; with STACK_KEEP=1 it is left running, and taken over by the next session."""
    folder, keep = Path("/var/tmp") / f"{NAME}-stack", "STACK_KEEP" in os.environ
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    made = Stack(folder, STACK_REVISION=_revision())
    if not keep:
        made.down()
    made.compose("build", timeout_s=1500)
    try:
        made.up()
        yield made
    finally:
        if not keep:
            made.down()
            shutil.rmtree(folder, ignore_errors=True)  # a stack that is kept later must not find these files


@pytest.fixture(scope="session")
def plans() -> list[DocumentPlan]:
    """Six archive documents, and queries for one search and for the drill of the backup."""
    attacks = ["printed and scanned", None, "recompressed", "mirrored", "turned by 90°", "cropped"]
    return plan_corpus(6, [*attacks, *(attacks[1:] * 3)], seed=31)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory, plans) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    draw_corpus(folder, plans, workers=2)
    return folder


@pytest.fixture(scope="session")
def ingested(stack, corpus, plans):
    """The stack after the sensor has ingested the archive."""
    from deploy.tests.stack import wait_for

    files = sorted((corpus / "archive").iterdir())
    stack.drop(files)
    wait_for("every archive document read", lambda: _indexed(stack, files) == len(files), 600)
    wait_for("runs ended", lambda: not _in_progress(stack), 300)
    return stack


def _indexed(stack: Stack, files: list[Path]) -> int:
    names = ", ".join(f"'{file.name}'" for file in files)
    where = f"state = 'ok' AND id IN (SELECT row_id FROM indexed_documents) AND file_name IN ({names})"
    return int(stack.sql(f"SELECT count(*) FROM documents WHERE {where}")[0][0])


def _in_progress(stack: Stack) -> int:
    return int(
        stack.sql("SELECT count(*) FROM runs WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')", "dagster")[0][0]
    )


@pytest.fixture(scope="session")
def images(tmp_path_factory) -> dict[str, str]:
    """Settings that name the images under test; they are built if they are missing."""
    found = subprocess.run(["docker", "image", "inspect", *IMAGES.values()], capture_output=True, check=False)
    if found.returncode:
        Stack(tmp_path_factory.mktemp("build"), STACK_REVISION=_revision(), **IMAGES).compose("build", timeout_s=1500)
    return IMAGES
