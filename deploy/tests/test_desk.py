"""The review desk in the stack: signing in behind the proxy, a verdict, and what its container reaches."""

import re
import secrets
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.tests.stack import Stack, wait_for
from doc_assets.lab.corpus import DocumentPlan

PERSON, PASSWORD = (
    f"kim-{secrets.token_hex(3)}",
    "eight merchants, one awning",
)  # a stack that is kept knows earlier ones
IN_PROGRESS = "SELECT count(*) FROM runs WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')"
OPEN_CASE = "SELECT case_id FROM review_cases JOIN documents ON documents.id = row_id WHERE file_name = '{}'"


@pytest.fixture(scope="module")
def reused(plans: list[DocumentPlan]) -> DocumentPlan:
    """A document that re-uses a photo of the archive."""
    return next(plan for plan in plans if plan.folder == "incoming" and plan.reuse)


@pytest.fixture(scope="module")
def case_id(ingested: Stack, corpus: Path, reused: DocumentPlan) -> int:
    """Number of the case of that document, which came by the inbox."""
    ingested.drop([corpus / "incoming" / reused.name])
    found = wait_for("its case", lambda: ingested.sql(OPEN_CASE.format(reused.name)), 600)
    wait_for("runs ended", lambda: ingested.sql(IN_PROGRESS, "dagster") == [["0"]], 300)  # nothing changes any more
    return int(found[0][0])


@pytest.fixture(scope="module")
def person(ingested: Stack) -> str:
    """Somebody who may judge, added as docs/operations.md says."""
    ingested.compose(
        "exec", "-T", "desk", "doc-assets", "people", "add", PERSON, "--role", "lead", given=f"{PASSWORD}\n{PASSWORD}\n"
    )
    return PERSON


@pytest.fixture
def signed_in(ingested: Stack, person: str):
    """A browser that came by the proxy and knows the password."""
    with ingested.client(None) as client:
        page = client.get("/accounts/login/")
        answer = _post(client, "/accounts/login/", page.text, login=person, password=PASSWORD)
        assert answer.status_code == 302, answer.text
        yield client


def _post(
    client: httpx.Client, path: str, page: str, files: list[tuple[str, Any]] | None = None, **values: str
) -> httpx.Response:
    """A form of a page, with its token."""
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token is not None
    base = str(client.base_url).rstrip("/")
    headers = {"Origin": base, "Referer": f"{base}{path}"}
    return client.post(path, data={"csrfmiddlewaretoken": token[1], **values}, files=files, headers=headers)


def test_strangers_are_asked_who_they_are_and_come_no_further(ingested: Stack):
    with ingested.client(None) as client:
        first = client.get("/")
        named = client.get("/", headers={"X-Desk-User": "kim", "X-Desk-Proxy": "guess"})
        evil = client.get("/", headers={"Host": "evil.example"})

    assert (first.status_code, named.status_code) == (302, 302)
    assert first.headers["location"].startswith("/accounts/login/")
    assert evil.status_code == 400


def test_a_reviewer_signs_in_and_the_verdict_is_in_postgresql(ingested: Stack, signed_in: httpx.Client, case_id: int):
    queue = signed_in.get("/")
    assert f"/cases/{case_id}" in queue.text
    assert "__Host-session" in signed_in.cookies
    page = signed_in.get(f"/cases/{case_id}")
    photo = re.search(r"/photos/\d+/\d+/320\.jpg", page.text)
    assert photo is not None
    assert signed_in.get(photo[0]).headers["content-type"] == "image/jpeg"
    shown = re.search(r"/pages/\d+/1\.jpg", page.text)
    assert shown is not None
    assert signed_in.get(shown[0]).content.startswith(b"\xff\xd8")

    pair = re.search(r'id="pair-keys"[^>]*>\["([0-9a-f]+)"', page.text)
    assert pair is not None
    done = _post(signed_in, f"/cases/{case_id}/verdict", page.text, photograph="same", use="fraud", pair=pair[1])

    assert done.status_code == 302
    said = ingested.sql(f"SELECT person, photograph, use FROM verdicts WHERE person = '{PERSON}'")
    assert said == [[PERSON, "same", "fraud"]]
    actions = [row[0] for row in ingested.sql("SELECT action FROM audit ORDER BY number")]
    assert {"people.add", "person.sign_in", "case.see", "case.decide"} <= set(actions)
    assert "entries fit" in ingested.compose("exec", "-T", "desk", "doc-assets", "audit", "--verify")


def test_a_file_is_searched_for_by_a_run_in_a_container_and_leaves(
    ingested: Stack, signed_in: httpx.Client, corpus: Path, reused: DocumentPlan
):
    """Another file than the archive's: a document that is there already would be found as itself."""
    content = (corpus / "incoming" / reused.name).read_bytes()
    form = signed_in.get("/search").text
    upload = [("files", ("../../of somebody's phone.tif", content, "image/tiff"))]

    started = _post(signed_in, "/search/start", form, upload, keep="")
    assert started.status_code == 302, started.text
    path = started.headers["location"]
    wait_for("the search", lambda: signed_in.get(f"{path}/state").json()["ended"], 300)
    shown = signed_in.get(path).text

    assert reused.reuse is not None
    assert reused.name in shown or reused.reuse.source_document in shown
    requested = ingested.sql("SELECT requested_by, failure FROM desk_searches ORDER BY number DESC LIMIT 1")
    assert requested == [[PERSON, ""]]
    left = ingested.compose("exec", "-T", "desk", "find", "/var/lib/doc-assets/uploads", "-type", "f")
    assert left.strip() == ""
    named = ingested.sql("SELECT count(*) FROM event_logs WHERE event LIKE '%somebody%'", "dagster")
    assert named == [["0"]]


def test_the_desk_writes_nothing_to_the_home_and_reaches_what_it_needs_and_no_more(ingested: Stack):
    program = (
        "import pathlib, socket\n"
        "for host, port in (('postgres', 5432), ('webserver', 3000), ('user-code', 4000), ('socket-proxy', 2375),\n"
        "                   ('qdrant', 6333), ('1.1.1.1', 53)):\n"
        "    try:\n"
        "        socket.create_connection((host, port), 3).close()\n"
        "        print(host)\n"
        "    except OSError:\n"
        "        pass\n"
        "for place in ('/var/lib/doc-assets/x', '/var/lib/doc-assets/photos/x', '/etc/doc-assets/x', '/app/x'):\n"
        "    try:\n"
        "        pathlib.Path(place).write_text('x')\n"
        "        print(place)\n"
        "    except OSError:\n"
        "        pass\n"
    )

    assert ingested.compose("exec", "-T", "desk", "python", "-c", program).split() == ["postgres", "webserver"]
    mounts = str(ingested.inspect(ingested.container("desk"))["Mounts"])
    assert "docker.sock" not in mounts


def test_who_does_not_come_by_the_proxy_is_not_answered(ingested: Stack):
    program = (
        "import sys, urllib.error, urllib.request\n"
        "try:\n"
        "    urllib.request.urlopen('http://desk:8000/healthz', timeout=5)\n"
        "except urllib.error.HTTPError as error:\n"
        "    print(error.code)\n"
    )

    assert ingested.compose("exec", "-T", "webserver", "python", "-c", program).strip() == "403"


def test_its_secrets_are_nobody_elses(ingested: Stack):
    for service in ("user-code", "webserver", "daemon"):
        found = ingested.compose(
            "exec", "-T", service, "sh", "-c", "cat /etc/doc-assets/pgpass /etc/doc-assets/secrets/*", check=False
        )
        assert found
        for name in ("desk_password", "desk_secret", "desk_proxy_secret"):
            assert ingested.secret(name) not in found, (service, name)
