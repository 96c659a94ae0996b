import pytest
from sqlalchemy import inspect, text

from doc_assets.errors import LedgerSchemaError
from doc_assets.ledger.database import SCHEMA_REVISION, Database, alembic_config
from doc_assets.ledger.ledger import Ledger
from doc_assets.ledger.schema import Base


@pytest.fixture
def database(ledger_url):
    opened = Database(ledger_url)
    yield opened
    opened.close()


def test_migrations_make_the_tables_that_the_code_uses(database):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    database.migrate()

    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_the_known_revision_is_the_newest_migration(database):
    from alembic.script import ScriptDirectory

    with database.reading() as connection:
        newest = ScriptDirectory.from_config(alembic_config(connection)).get_current_head()
    database.migrate()

    assert database.revision() == newest == SCHEMA_REVISION


def test_migrations_go_down_again(database):
    from alembic import command

    database.migrate()
    with database.writing() as connection:
        command.downgrade(alembic_config(connection), "base")

    with database.reading() as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]


def test_tables_of_a_newer_program_are_refused(database):
    database.migrate()
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(LedgerSchemaError, match="9999"):
        database.migrate()


def test_two_openings_at_once_migrate_once(ledger_url):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(Ledger.open, [ledger_url] * 4))

    for ledger in opened:
        assert ledger.intake.drop_keys() == []
        ledger.close()


def test_an_unreachable_database_is_named_without_its_password():
    from doc_assets.errors import ServiceError

    with pytest.raises(ServiceError) as error:
        Ledger.open("postgresql+psycopg2://app:hunter2@127.0.0.1:1/none")

    assert "127.0.0.1" in str(error.value)
    assert "hunter2" not in str(error.value)
