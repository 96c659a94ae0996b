import re
import shutil

import pytest

from doc_assets.archive.ledger.case_queue import CaseFilter
from doc_assets.runtime import Runtime
from doc_assets.settings import Settings
from doc_assets_tests.once import once
from doc_assets_tests.web.home import copy_of, fill

PASSWORD = "correct horse battery"
EVERY = ("open", "second", "disputed", "decided", "gone")
PEOPLE = {
    "viewer": ("viewer",),
    "reviewer": ("reviewer",),
    "second": ("reviewer",),
    "lead": ("lead",),
    "admin": ("admin",),
    "auditor": ("auditor",),
    "nobody": (),
}
"""By name; the first of each role is called like it."""


@pytest.fixture(scope="session")
def desk_home(tmp_path_factory):
    """A home with cases and people; for copies of it."""

    def made(folder):
        settings = Settings(home=folder / "home", log_dir=folder / "log")
        fill(settings)

    return once(tmp_path_factory, "desk", made) / "home"


@pytest.fixture(scope="session")
def django(tmp_path_factory):
    """Django, configured once for the process, and a database of accounts with everybody in it; for copies of it."""
    from django.contrib.auth.hashers import Argon2PasswordHasher

    from doc_assets.web.site import Door, configure, migrate

    settings = Settings(home=tmp_path_factory.mktemp("accounts"))
    configure(settings, Door("a secret of tests", ("testserver",), is_secure=False))
    Argon2PasswordHasher.time_cost, Argon2PasswordHasher.memory_cost = 1, 64  # KiB; what is slow on purpose, quickly

    def made(folder):
        from doc_assets.web import accounts

        _work_on(folder / "accounts.sqlite")
        migrate()
        for name, roles in PEOPLE.items():
            accounts.add_person(name, roles, PASSWORD)
        _work_on(settings.accounts_file)

    return once(tmp_path_factory, "people", made) / "accounts.sqlite"


def _work_on(accounts):
    """Lets Django use this database of accounts from now on."""
    from django.conf import settings as configured
    from django.db import connections

    connection = connections["default"]
    connection.close()
    connection.settings_dict["NAME"] = configured.DATABASES["default"]["NAME"] = accounts
    connection.settings_dict["OPTIONS"]["init_command"] = "PRAGMA synchronous=OFF"


class DeskUnderTest:
    """A desk in this process on a copy of the home.

    Attributes:
        ledger: of the copy.
        desk: what the pages use.
    """

    def __init__(self, desk):
        self.desk, self.ledger = desk, desk.archive.ledger

    def client(self, name=None, language="en", **more):
        """A browser of this person; of nobody without a name."""
        from django.contrib.auth.models import User
        from django.test import Client

        client = Client(**more)
        client.cookies["django_language"] = language
        if name is not None:
            client.force_login(User.objects.get(username=name), "django.contrib.auth.backends.ModelBackend")
        return client

    def cases(self, *states):
        """Cases in the order of the queue."""
        return self.ledger.cases.page(CaseFilter(states=states or EVERY), 100)

    def keys(self, case_id):
        """Keys of a case's pairs."""
        return [pair.pair_key for pair in self.ledger.cases.pairs([case_id])[case_id]]

    def judge(self, client, case_id, photograph="different", use="", pair=0, **more):
        """Files a verdict on a pair as the page does."""
        values = {"photograph": photograph, "use": use, "pair": self.keys(case_id)[pair], **more}
        return client.post(f"/cases/{case_id}/verdict", values)

    def said(self, case_id):
        """What was said of a case: person, stage, photograph, use; a withdrawal has neither."""
        rows = self.ledger.cases.verdicts(self.keys(case_id))
        return [(v.person, v.stage, *((v.answer.photograph, v.answer.use) if v.answer else (None, None))) for v in rows]

    def actions(self):
        """Person, action and subject of the audit, the oldest first."""
        return [(e.person, e.action, e.subject) for e in reversed(self.ledger.audit.page(1000))]


@pytest.fixture
def make_desk(desk_home, django, tmp_path):
    """Opens a desk on a copy of the home; settings may be changed."""
    from contextlib import ExitStack

    from django.core.cache import cache

    from doc_assets.web.desk import Desk, use

    with ExitStack() as stack:

        def make(**changed):
            home = copy_of(desk_home, tmp_path / "home")
            shutil.copy(django, home / "accounts.sqlite")
            _work_on(home / "accounts.sqlite")
            stack.callback(_work_on, django)
            cache.clear()
            desk = stack.enter_context(Desk(Runtime(Settings(home=home, **changed))))
            use(desk)
            return DeskUnderTest(desk)

        yield make


@pytest.fixture
def desk(make_desk):
    """A desk where one person is enough for a verdict."""
    return make_desk(review_second_for_fraud=False, review_second_share=0)


def text_of(response):
    """The words of a page, without marks."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", response.content.decode()))
