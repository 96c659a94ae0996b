"""Every test of the ledger runs on SQLite, and on a real PostgreSQL where one is installed."""

import shutil

import pytest
from sqlalchemy import make_url

from doc_assets.archive.ledger.ledger import Ledger
from doc_assets_tests.archive.ledger import postgres

DATABASES = ["sqlite", *([pytest.param("postgresql", marks=pytest.mark.whole)] if postgres.BIN else [])]


@pytest.fixture(scope="session")
def postgres_server():
    with postgres.running_server() as url:
        yield url


@pytest.fixture(params=DATABASES)
def ledger_url(request, tmp_path):
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'deep' / 'ledger.sqlite'}"
    else:
        with postgres.empty_database(request.getfixturevalue("postgres_server")) as url:
            yield url


@pytest.fixture(scope="session")
def postgres_template(postgres_server):
    """The name of a database whose tables are up to date and empty."""
    with postgres.empty_database(postgres_server) as url:
        Ledger.open(url).close()
        yield make_url(url).database


@pytest.fixture(params=DATABASES)
def ledger(request, tmp_path, empty_ledger):
    if request.param == "sqlite":
        with Ledger.open(f"sqlite:///{shutil.copy(empty_ledger, tmp_path / 'ledger.sqlite')}") as opened:
            yield opened
    else:
        server, template = map(request.getfixturevalue, ("postgres_server", "postgres_template"))
        with postgres.empty_database(server, template) as url, Ledger.open(url) as opened:
            yield opened
