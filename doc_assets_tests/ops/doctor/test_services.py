import sqlite3

import pytest
from pydantic import SecretStr

from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.vectors.embedded import EmbeddedStore
from doc_assets.ops.doctor.check import Level
from doc_assets.ops.doctor.home import check_ledger, check_store
from doc_assets_tests.archive.ledger import postgres


def with_ledger(settings, url):
    return settings.model_copy(update={"ledger_url": SecretStr(url)})


@pytest.mark.whole
@pytest.mark.skipif(postgres.BIN is None, reason="PostgreSQL is not installed")
def test_a_running_postgresql_is_green_and_a_stopped_one_red_with_its_address(settings):
    with postgres.running_server() as server:
        url = server.replace("tester@", "tester:hunter2@")
        assert check_ledger(with_ledger(settings, url)).level == Level.YELLOW  # no tables yet
        Ledger.open(url).close()
        running = check_ledger(with_ledger(settings, url))

    stopped = check_ledger(with_ledger(settings, url))

    assert running.level == Level.GREEN
    assert (stopped.level, "hunter2" in stopped.says) == (Level.RED, False)
    assert "does not answer" in stopped.says
    assert "postgresql" in stopped.says
    assert "Start the database" in stopped.fix


def test_looking_at_a_ledger_that_is_not_there_makes_none(settings):
    found = check_ledger(settings)

    assert found.level == Level.YELLOW
    assert not settings.home.exists()


def test_a_ledger_of_a_newer_program_or_with_other_bytes_is_red(settings, tmp_path):
    url = f"sqlite:///{tmp_path / 'newer.sqlite'}"
    Ledger.open(url).close()
    with sqlite3.connect(tmp_path / "newer.sqlite") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    (tmp_path / "other.sqlite").write_bytes(b"no database at all" * 100)

    newer = check_ledger(with_ledger(settings, url))
    other = check_ledger(with_ledger(settings, f"sqlite:///{tmp_path / 'other.sqlite'}"))

    assert (newer.level, other.level) == (Level.RED, Level.RED)
    assert "9999" in newer.says
    assert "damaged" in other.says


def test_an_address_that_names_no_database_is_red(settings):
    assert check_ledger(with_ledger(settings, "what")).level == Level.RED
    assert check_ledger(with_ledger(settings, "nosuch://host/db")).level == Level.RED


def test_the_embedded_store_is_yellow_before_its_first_use_and_while_it_is_held(settings):
    assert check_store(settings).level == Level.YELLOW
    assert not settings.qdrant_dir.exists()

    with EmbeddedStore(settings.qdrant_dir) as store:
        store.create("photos__a", 4)
        store.publish("photos", "photos__a")
        held = check_store(settings)
    free = check_store(settings)

    assert (held.level, free.level) == (Level.YELLOW, Level.GREEN)
    assert "in use" in held.says
    assert "photos is photos__a with 0 photos" in free.says


def test_an_alias_without_its_collection_is_red(settings):
    with EmbeddedStore(settings.qdrant_dir) as store:
        store.create("photos__a", 4)
        store.publish("photos", "photos__a")
        store.drop("photos__a")

    assert check_store(settings).level == Level.RED


def test_a_server_that_does_not_answer_is_red(settings):
    away = settings.model_copy(update={"qdrant_url": "http://127.0.0.1:9", "qdrant_grpc_port": 9})

    found = check_store(away)

    assert found.level == Level.RED
    assert "127.0.0.1:9" in found.says
