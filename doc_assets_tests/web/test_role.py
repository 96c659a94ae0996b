"""The desk on PostgreSQL by a role of its own, which changes no table and writes only what people decide."""

import os
import subprocess
import sys

import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import ProgrammingError

from doc_assets.archive.ledger.grants import DESK_WRITES, grant_desk
from doc_assets.archive.ledger.schema import Base
from doc_assets.ops.backup import databases
from doc_assets.settings import Settings
from doc_assets_tests.archive.ledger import postgres
from doc_assets_tests.shared import PROJECT
from doc_assets_tests.web.home import fill

pytestmark = [
    pytest.mark.skipif(postgres.BIN is None, reason="PostgreSQL is not installed"),
    pytest.mark.whole,
]
PREPARE = """
from doc_assets.settings import load_settings
from doc_assets.web.site import Door, configure, migrate
configure(load_settings(), Door("of no browser", (), is_secure=False))
migrate()
"""
"""What the stack does as the owner of the tables."""
SIGN_IN = """
from doc_assets.settings import load_settings
from doc_assets.web.server import open_accounts
from doc_assets.web.desk import Desk, use
from doc_assets.runtime import Runtime

settings = load_settings()
open_accounts(settings)
from django.conf import settings as configured
configured.ALLOWED_HOSTS = ["testserver"]
from django.test import Client
from doc_assets.web.accounts import add_person, set_password

add_person("kim", ["reviewer"], "correct horse battery")
set_password("kim", "battery horse correct")
with Desk(Runtime(settings)) as desk:
    use(desk)
    client = Client()
    client.post("/accounts/login/", {"login": "kim", "password": "battery horse correct"})
    print(client.get("/").status_code, [each.action for each in desk.archive.ledger.audit.page(1)])
"""


def _run(program, settings):
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("DOC_ASSETS_")},
        "DOC_ASSETS_HOME": str(settings.home),
        "DOC_ASSETS_LOG_DIR": str(settings.log_dir),
        "DOC_ASSETS_LEDGER_URL": settings.ledger_address,
    }
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def server():
    with postgres.running_server() as url:
        yield url


@pytest.fixture(scope="module")
def served(server, tmp_path_factory):
    """Settings of the owner and of the desk on a filled ledger; the roles as roles.sh makes them."""
    folder = tmp_path_factory.mktemp("served")
    with postgres.empty_database(server) as url:
        _sql(
            url,
            "CREATE ROLE owner LOGIN",
            "CREATE ROLE desk LOGIN",
            f"ALTER DATABASE {make_url(url).database} OWNER TO owner",
            "REVOKE ALL ON SCHEMA public FROM PUBLIC",
            "GRANT ALL ON SCHEMA public TO owner",
            "GRANT USAGE ON SCHEMA public TO desk",
        )
        as_owner, as_desk = (
            Settings(
                home=folder / "home", log_dir=folder / "log", ledger_url=SecretStr(url.replace("tester@", f"{role}@"))
            )
            for role in ("owner", "desk")
        )
        fill(as_owner)
        _run(PREPARE, as_owner)
        assert _granted(as_owner.ledger_address)
        yield as_owner, as_desk


def _granted(url):
    engine = create_engine(url)
    with engine.begin() as connection:
        done = grant_desk(connection)
    engine.dispose()
    return done


def _sql(url, *statements):
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))
    finally:
        engine.dispose()


def test_a_case_is_taken_judged_undone_and_spoken_of_by_that_role(served, make_desk):
    desk = make_desk(ledger_url=served[1].ledger_url)
    reviewer = desk.client("reviewer")
    case = desk.cases()[0].case_id

    assert reviewer.get("/").status_code == 200
    assert reviewer.get(f"/cases/{case}").status_code == 200
    assert reviewer.post(f"/cases/{case}/comment", {"text": "look at the sign"}).status_code == 302
    assert desk.judge(reviewer, case).status_code == 302
    assert reviewer.post(f"/cases/{case}/undo").status_code == 302

    assert [photograph for _, _, photograph, _ in desk.said(case)] == ["different", None]
    assert [action for _, action, _ in desk.actions()][-2:] == ["case.decide", "case.undo"]
    assert desk.ledger.audit.verify().broken is None


def test_that_role_changes_nothing_else(served):
    _, of_desk = served
    rights = {table.name: set() for table in Base.metadata.sorted_tables}
    rights |= {table.__tablename__: set(granted) for table, granted in DESK_WRITES.items()}
    for table, granted in rights.items():
        column = next(iter(Base.metadata.tables[table].columns)).name
        tries = {
            "INSERT": f"INSERT INTO {table} SELECT * FROM {table} WHERE false",
            "UPDATE": f"UPDATE {table} SET {column} = {column} WHERE false",
            "DELETE": f"DELETE FROM {table} WHERE false",
            "TRUNCATE": f"TRUNCATE {table}",
        }
        for right, statement in tries.items():
            if right in granted:
                _sql(of_desk.ledger_address, statement)
            else:
                with pytest.raises(ProgrammingError, match="permission denied"):
                    _sql(of_desk.ledger_address, statement)
    for statement in ("CREATE TABLE mine (n INTEGER)", "CREATE TABLE desk.mine (n INTEGER)", "CREATE SCHEMA mine"):
        with pytest.raises(ProgrammingError, match="permission denied"):
            _sql(of_desk.ledger_address, statement)


def test_people_are_kept_and_sign_in_by_that_role(served):
    assert _run(SIGN_IN, served[1]).split(maxsplit=1) == ["200", "['person.sign_in']\n"]


def test_a_backup_is_made_by_that_role_with_people_and_verdicts(served, tmp_path):
    rows = databases.contents(databases.dump(served[1].ledger_address, tmp_path, "ledger"), "postgresql").rows

    assert {"verdicts", "audit", "desk.auth_user", "desk.django_session"} <= rows.keys()


def test_a_server_without_the_role_is_told_of(server):
    with postgres.empty_database(server) as url:
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(text("ALTER ROLE desk RENAME TO another"))
            try:
                assert not grant_desk(connection)
            finally:
                connection.execute(text("ALTER ROLE another RENAME TO desk"))
        engine.dispose()
