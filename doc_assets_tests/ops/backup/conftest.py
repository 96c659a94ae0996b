"""A copy of the ingested home for each test, and a home with twenty searched queries for the drill."""

import json
import shutil
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from doc_assets.lab.corpus import draw_corpus, plan_corpus
from doc_assets_tests.archive.ledger.conftest import postgres_server
from doc_assets_tests.program import Program, outside_environment

__all__ = ["postgres_server"]

PLANS = plan_corpus(10, [*["recompressed", "mirrored", "turned by 90°", "cropped", None] * 4], seed=19)


class Place:
    """A folder with a home, its logs, backups, and the settings of its commands."""

    def __init__(self, folder: Path, files: Path, **settings: str) -> None:
        self.folder, self.files = folder, files
        self.home, self.backups = folder / "home", folder / "backups"
        self.first_answers: dict[str, object] = {}
        self.databases: list[str] = []
        self.is_process = False  # of every command its own
        kept = outside_environment()
        own = {"DOC_ASSETS_HOME": str(self.home), "DOC_ASSETS_LOG_DIR": str(folder / "log")}
        self.environment = kept | own | settings

    def run(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        """A command, its output captured."""
        program = Program(self.folder, self.environment | environment)
        return program.process(*arguments) if self.is_process else program(*arguments)

    def done(self, *arguments: object) -> str:
        """The output of a command that must succeed."""
        ended = self.run(*arguments)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def archived(self) -> str:
        """Name of a document in the archive."""
        return min(path.name for path in (self.files / "archive").iterdir())

    def backup(self) -> Path:
        """Makes a backup and returns its folder, which is named by its second."""
        while (self.backups / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}").exists():
            time.sleep(0.05)
        return Path(json.loads(self.done("backup", "--to", self.backups, "--json"))["folder"])

    def restore(self, folder: Path) -> dict[str, object]:
        """Restores a backup and returns the report."""
        return json.loads(self.done("restore", folder, "--yes-restore-into", self.home.name, "--json"))

    def counts(self) -> dict[str, object]:
        """What ``status`` counts."""
        found = json.loads(self.done("status", "--json"))
        return {"counts": found["counts"], "collection": found["collection"], "points": found["points"]}

    def answers(self, name: str) -> dict[str, object]:
        """What a search for the twenty queries finds now."""
        output = self.home / "results" / name
        self.done("search-doc", "--folder", self.files / "incoming", "--output-folder", output)
        summary = json.loads((output / "search_results_summary.json").read_text(encoding="utf-8"))
        return {
            query["query_document"]: [(top["document"], round(top["score"], 4)) for top in query["top_docs"]]
            for query in summary["per_query"]
        }


@pytest.fixture(scope="session")
def drawn(corpus):
    return corpus


@pytest.fixture(scope="session")
def made(ingested_home, drawn):
    return Place(ingested_home.parent, drawn)


@pytest.fixture(scope="session")
def twenty(tmp_path_factory):
    """Ten archive documents and twenty queries as files."""
    folder = tmp_path_factory.mktemp("twenty")
    draw_corpus(folder, PLANS, workers=2)
    return folder


@pytest.fixture(scope="session")
def searched(twenty, tmp_path_factory):
    """A home of the ten documents after a search for the twenty queries."""
    place = Place(tmp_path_factory.mktemp("searched"), twenty)
    place.done("build-image-index", "--folder", twenty / "archive")
    place.first_answers = place.answers("before")
    return place


@pytest.fixture
def place(made, drawn, tmp_path):
    """A copy of the home in a folder of its own."""
    shutil.copytree(made.folder, tmp_path / "own", symlinks=True)
    return Place(tmp_path / "own", drawn)
