import json
import re
from dataclasses import replace

import pytest
from sqlalchemy import bindparam, inspect, text

from doc_assets.archive.ledger.database import SCHEMA_REVISION, Database, alembic_config
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.rows import DOCUMENTS, documents_of
from doc_assets.archive.ledger.schema import Base, DocumentRow, Json
from doc_assets.errors import LedgerSchemaError
from doc_assets_tests.shared import PROJECT


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


def test_migrations_go_down_and_up_again_with_rows_in_every_table(ledger_url):
    from alembic import command

    from doc_assets.archive.ledger.documents import Stage
    from doc_assets.archive.ledger.intake import ArrivedFile
    from doc_assets_tests.archive.ledger.test_searches import RESULT, SEARCH
    from doc_assets_tests.conftest import NOW

    with Ledger.open(ledger_url) as ledger:
        ledger.intake.seal([ArrivedFile("/in/a.tif", "a.tif", "a", 1, 1)], source="x", now=NOW, chunk_documents=2)
        ledger.searches.start(SEARCH)
        ledger.searches.record(SEARCH.search_id, [RESULT])
        drop = ledger.intake.drop_keys()[0]
        (document,) = ledger.documents.of_chunk(drop, range(9))
        ledger.collections.record_indexed([document.id], "photos__gist-1__sift-1__v2")
        stages = [
            Stage("photos", "", "layout"),
            Stage("photo_embeddings", "gist-1", "gist-1|layout"),
            Stage("indexed_photos", "photos__gist-1__sift-1__v2", "gist-1|sift-1|layout"),
        ]
        for stage in stages:
            ledger.documents.complete_stage(drop, stage, NOW)
        revisions = ["0006", "0002", "0004", "0001", "base"]
        for revision in revisions:
            with ledger.database.writing() as connection:
                command.downgrade(alembic_config(connection), revision)
            if revision != "base":
                ledger.database.migrate()
                assert ledger.searches.results(SEARCH.search_id)[0].query_document == RESULT.query_document
                assert len(ledger.documents.of_chunk(drop, range(9))) == 1
                assert ledger.collections.holding(document.id) == ["photos__gist-1__sift-1__v2"]
                assert ledger.documents.stale_drops(stages) == []
        ledger.database.migrate()
        assert ledger.intake.drop_keys() == []


def test_tables_are_brought_up_and_down_by_name(database):
    assert database.revisions()[0] == "base"
    for revision in ("0001", SCHEMA_REVISION, "0002"):
        database.migrate_to(revision)
        assert database.revision() == revision
    database.migrate_to("base")
    assert database.revision() is None

    with pytest.raises(LedgerSchemaError, match="0099"):
        database.migrate_to("0099")


def test_documents_of_before_get_their_dates(database):
    """By the key table's row that was kept, by the name, by the first arrival; in the days of the business zone."""
    database.migrate_to("0007")
    rows = [
        ("first", 0, "a", "{}"),
        ("first", 1, "N2024012000066THA00100001_8", "{}"),
        ("first", 2, "N2024012000066THA00100001_9", '{"수신일자": "2024. 3. 1.", "구분": "신규"}'),
        ("first", 3, "N2024012000066THA00100001_7", '{"수신일자": "2024-13-45"}'),
        ("second", 0, "a", "{}"),
        ("second", 1, "b", "{}"),
    ]
    with database.writing() as connection:
        for drop, sealed in (("first", "2026-11-21 09:30:00"), ("second", "2026-11-21 15:30:00")):
            connection.execute(
                text("INSERT INTO drops VALUES (:drop, 'x', :sealed, 9, 9)"),
                {"drop": drop, "sealed": f"{sealed}+00:00"},
            )
        for drop, position, name, fields in rows:
            connection.execute(
                text(
                    "INSERT INTO documents (drop_key, position, document_id, file_name, source_path, size_bytes, "
                    "mtime_ns, state, is_current, fields) VALUES (:d, :p, :n, :n, :n, 1, 1, 'ok', :c, :f)"
                ).bindparams(bindparam("f", type_=Json)),
                {"d": drop, "p": position, "n": name, "c": True, "f": json.loads(fields)},
            )

    database.migrate()

    with database.reading() as connection:
        found = documents_of(connection.execute(DOCUMENTS.order_by(DocumentRow.id)))
    assert [(str(document.document_date), document.date_source) for document in found] == [
        ("2026-11-21", "arrival"),
        ("2024-01-20", "name"),
        ("2024-03-01", "key_table"),
        ("2024-01-20", "name"),
        ("2026-11-21", "arrival"),
        ("2026-11-22", "arrival"),
    ]
    database.migrate_to("0007")
    database.migrate()


def test_merchants_of_before_are_written_as_they_are_compared(ledger_url):
    from alembic import command

    from doc_assets.archive.ledger.intake import ArrivedFile
    from doc_assets_tests.archive.ledger.test_searches import RESULT, SEARCH
    from doc_assets_tests.conftest import NOW

    (migration,) = (PROJECT / "doc_assets" / "archive" / "ledger" / "migrations" / "versions").glob("*_merchants.py")
    before = re.search('down_revision = "([0-9]+)"', migration.read_text(encoding="utf-8"))[1]
    written = {"a": "120-81-47521", "b": "1208147521", "c": "120 81 47521", "d": "1.20815E+09", "e": "M-17", "f": None}
    files = [ArrivedFile(f"/in/{name}.tif", f"{name}.tif", name, 1, 1, merchant) for name, merchant in written.items()]
    with Ledger.open(ledger_url) as ledger:
        ledger.intake.seal(files, source="x", now=NOW, chunk_documents=9)
        ledger.searches.start(SEARCH)
        results = [replace(RESULT, query_document=name, merchant_id=merchant) for name, merchant in written.items()]
        ledger.searches.record(SEARCH.search_id, results)
        with ledger.database.writing() as connection:
            command.downgrade(alembic_config(connection), before)
        ledger.database.migrate()

        drop = ledger.intake.drop_keys()[0]
        stored = [document.merchant_id for document in ledger.documents.of_chunk(drop, range(9))]
        found = sorted(ledger.searches.results(SEARCH.search_id), key=lambda result: result.query_document)
    assert stored == ["1208147521"] * 3 + [None, "M-17", None]
    assert [result.merchant_id for result in found] == stored
