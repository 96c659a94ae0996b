"""Every test of the ledger runs on SQLite, and on a real PostgreSQL where one is installed."""

import pytest

from doc_assets.archive.ledger.ledger import Ledger
from doc_assets_tests.archive.ledger import postgres

DATABASES = ["sqlite", "postgresql"] if postgres.BIN else ["sqlite"]


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


@pytest.fixture
def ledger(ledger_url):
    with Ledger.open(ledger_url) as opened:
        yield opened
