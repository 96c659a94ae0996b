import zlib

import pytest
from sqlalchemy import create_engine, make_url, text

from doc_assets.ops.erasure.databases import compact, find, remove_rows, scrub
from doc_assets.ops.erasure.identifiers import Identifiers

IDENTIFIERS = Identifiers(("가맹점-unmistakable",), others=("가맹점-unmistakable-2",))


@pytest.fixture
def database(ledger_url):
    if ledger_url.startswith("sqlite"):
        from pathlib import Path

        Path(make_url(ledger_url).database).parent.mkdir(parents=True)
    engine = create_engine(ledger_url)
    json_type, blob = ("JSONB", "BYTEA") if engine.dialect.name == "postgresql" else ("JSON", "BLOB")
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE events (n INTEGER, body TEXT, facts {json_type}, packed {blob})"))
        for n in range(3):
            connection.execute(
                text("INSERT INTO events VALUES (:n, :body, :facts, :packed)"),
                {
                    "n": n,
                    "body": "read 가맹점-unmistakable.tif and 가맹점-unmistakable-2.tif",
                    "facts": '{"name": "\\uac00\\ub9f9\\uc810-unmistakable"}',
                    "packed": zlib.compress("가맹점-unmistakable".encode() if n == 1 else b"nothing"),
                },
            )
    engine.dispose()
    return ledger_url


def test_names_are_replaced_in_text_and_json_and_found_in_packed_values(database):
    assert {residual.place for residual in find(database, IDENTIFIERS)} == {
        "table events, column body",
        "table events, column facts",
        "table events, column packed",
    }

    assert scrub(database, IDENTIFIERS) == 6

    assert {residual.place for residual in find(database, IDENTIFIERS)} == {"table events, column packed"}
    engine = create_engine(database)
    with engine.begin() as connection:
        rows = connection.execute(text("SELECT body FROM events")).scalars().all()
        assert rows == ["read forgotten.tif and 가맹점-unmistakable-2.tif"] * 3
        connection.execute(text("DELETE FROM events WHERE n = 1"))
    engine.dispose()
    compact(database)
    assert list(find(database, IDENTIFIERS)) == []


def test_a_compacted_sqlite_file_holds_no_byte_of_what_was_replaced(tmp_path):
    path = tmp_path / "events.db"
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        connection.execute(text("CREATE TABLE events (body TEXT)"))
        for n in range(500):
            connection.execute(text("INSERT INTO events VALUES (:body)"), {"body": f"{n} 가맹점-unmistakable" * 20})
    with engine.connect() as held:  # another program has it open
        scrub(f"sqlite:///{path}", IDENTIFIERS)
        compact(f"sqlite:///{path}")
        files = [found for found in tmp_path.iterdir() if b"unmistakable" in found.read_bytes()]
        del held
    engine.dispose()

    assert files == []


def test_rows_of_an_index_go_as_a_whole_and_those_of_others_stay(tmp_path):
    url = f"sqlite:///{tmp_path / 'index.db'}"
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE files (folder INTEGER, name TEXT)"))
        for name in ("가맹점-unmistakable.tif", "가맹점-unmistakable-2.tif", "other.tif"):
            connection.execute(text("INSERT INTO files VALUES (1, :name)"), {"name": name})

    assert remove_rows(url, IDENTIFIERS) == 1

    with engine.connect() as connection:
        assert connection.execute(text("SELECT name FROM files")).scalars().all() == [
            "가맹점-unmistakable-2.tif",
            "other.tif",
        ]
    engine.dispose()
