"""Pages whatever they are asked for, and whatever documents are called."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import doc_assets.web
from doc_assets.archive.ledger.cases import CasePair, NewCase
from doc_assets.archive.ledger.intake import ArrivedFile
from doc_assets.archive.ledger.verdicts import pair_key
from doc_assets.web.wording import WORDS
from doc_assets_tests.conftest import NOW
from doc_assets_tests.hostile import NAMES
from doc_assets_tests.web.home import ALONE

WEB = Path(doc_assets.web.__file__).parent
BIG = "9" * 40


# --- hostile names


@pytest.fixture
def hostile(desk):
    """A case of a document with each hostile name, merchant and field."""
    names = list(dict.fromkeys(name for name in NAMES if name and "\0" not in name))
    files = [
        ArrivedFile(f"/in/{i}.tif", name, f"hostile{i}", 1, 1, merchant_id=name, fields={name: name})
        for i, name in enumerate(names)
    ]
    drop = desk.ledger.intake.seal(files, source="test", now=NOW, chunk_documents=100)
    rows = desk.ledger.documents.of_chunk(drop, range(len(names)))
    cases = [
        NewCase(
            row.id,
            drop,
            row.merchant_id,
            {"probability": 9.0},
            (CasePair(pair_key((row.document_id, "x"), ("y", "z")), 0, rows[0].id, 0, "reuse", 0.9, None),),
        )
        for row in rows
    ]
    desk.ledger.cases.file([row.id for row in rows], cases, NOW, age_per_day=0.0, rule=ALONE)
    for name in names:
        desk.ledger.audit.add("kim", name[:50], name[:50], NOW, {name: name})
    return desk, names, [case for case in desk.cases() if case.drop_key == drop]


def _is_harmless(page):
    assert not re.search(r"<script>|<img src=x", page)
    assert not re.findall(r"[\u202e\u200b\x00-\x08\x0b-\x1f]", page)


@pytest.mark.parametrize("language", ["ko", "en"])
def test_hostile_names_are_harmless_in_the_queue(hostile, language):
    _is_harmless(hostile[0].client("lead", language).get("/").content.decode())


@pytest.mark.whole
def test_hostile_names_are_harmless_on_their_case(hostile):
    desk, names, cases = hostile
    client = desk.client("lead")
    assert len(cases) == len(names)
    for case in cases:
        response = client.get(f"/cases/{case.case_id}")
        assert response.status_code == 200
        _is_harmless(response.content.decode())


@pytest.mark.whole
def test_hostile_names_are_harmless_in_the_audit_and_in_messages(hostile):
    desk, _, cases = hostile
    client = desk.client("lead")
    _is_harmless(client.get("/audit").content.decode())
    for case in cases:
        desk.judge(client, case.case_id)
        _is_harmless(client.get("/").content.decode())


@pytest.mark.alike(4)
@pytest.mark.parametrize("name", NAMES)
def test_hostile_filters_find_what_they_name_and_nothing_else(desk, name):
    client = desk.client("reviewer")
    for field in ("text", "merchant", "drop", "finding", "state", "mine", "after"):
        response = client.get("/", {field: name})
        assert response.status_code == 200
        assert "<script>alert(1)" not in response.content.decode()
        assert client.post("/next", query_params={field: name}).status_code == 302


# --- wrong questions


@pytest.mark.alike(9)
@pytest.mark.parametrize(
    "path",
    [
        "/cases/0", f"/cases/{BIG}", "/cases/-1", "/cases/999999999", "/cases/1e3", "/cases/%00", "/cases/1/",
        "/cases/",
        "/photos/0/0/320.jpg", f"/photos/{BIG}/0/320.jpg", "/photos/1/99/320.jpg", "/photos/1/0/321.jpg",
        "/photos/1/0/99999.jpg", "/photos/1/-1/320.jpg", f"/photos/1/{'9' * 15}/1024.jpg", "/photos/999999/0/320.jpg",
        "/pages/0/1.jpg", "/pages/1/0.jpg", "/pages/1/99.jpg", f"/pages/1/{BIG}.jpg", "/pages/999999/1.jpg",
        "/static/../site.py", "/static/%2e%2e/site.py", "/static/", "/static/desk/nothing.js", "/static/desk/%00",
        "/nowhere", "/admin/", "/.env", "/accounts/", "/accounts/nothing/",
    ],
)  # fmt: skip
def test_what_is_not_there_is_not_found(desk, path):
    assert desk.client("lead").get(path).status_code == 404


@pytest.mark.alike(4)
@pytest.mark.parametrize("what", ["verdict", "undo", "comment", "release"])
@pytest.mark.parametrize("case_id", ["0", "999999999", BIG])
def test_nothing_is_done_to_a_case_that_is_not_there(desk, what, case_id):
    client = desk.client("reviewer")
    response = client.post(
        f"/cases/{case_id}/{what}", {"photograph": "different", "pair": "x", "comment": "y"}, follow=True
    )
    assert response.status_code == 404


@pytest.mark.alike(4)
@pytest.mark.parametrize(
    "query",
    [
        "pair=99", "pair=-1", "pair=x", f"pair={BIG}", "pair=%00", "pair=1.5", "pair=", "state=x&mine=%00",
        "text=%00", "text=%ff%fe", f"text={'x' * 5000}", "drop=%F0%9F%92%A9",
    ],
)  # fmt: skip
def test_a_case_answers_whatever_its_address_says(desk, query):
    case_id = desk.cases()[0].case_id
    assert desk.client("reviewer").get(f"/cases/{case_id}?{query}").status_code == 200


@pytest.mark.alike(4)
@pytest.mark.parametrize(
    "after", ["1,2", f"{BIG},{BIG}", "nan,1", "inf,1", "-inf,-1", "1e999,1", "x", ",", "1,", ",1", "\0", "1,1,1"]
)
def test_the_queue_answers_whatever_page_is_asked_for(desk, after):
    client = desk.client("reviewer")
    assert client.get("/", {"after": after}).status_code == 200
    assert client.post("/next", query_params={"after": after}).status_code == 302


@pytest.mark.parametrize("before", ["0", "-1", BIG, "x", "\0", "٣", "1.5", ""])
def test_the_audit_answers_whatever_page_is_asked_for(desk, before):
    assert desk.client("auditor").get("/audit", {"before": before}).status_code == 200


def test_pages_of_the_audit_go_on_where_the_one_before_ended(desk):
    for number in range(250):
        desk.ledger.audit.add("kim", "case.see", f"case {number}", NOW)
    client, path, seen = desk.client("auditor"), "/audit", []
    while path:
        page = client.get(path).content.decode()
        seen += [int(number) for number in re.findall(r"<tr><td>(\d+)</td>", page)]
        more = re.search(r'href="(\?before=\d+)"', page)
        path = f"/audit{more[1]}" if more else None

    assert seen == list(range(250, 0, -1))


def test_pages_take_the_methods_that_they_are_for(desk):
    client, case_id = desk.client("reviewer"), desk.cases()[0].case_id
    for path in ("/", f"/cases/{case_id}", "/help", "/healthz"):
        assert client.post(path).status_code == 405
    for path in ("/next", f"/cases/{case_id}/verdict", f"/cases/{case_id}/undo"):
        assert client.get(path).status_code == 405


# --- pictures


@pytest.mark.parametrize("side", [320, 1024])
def test_a_photo_is_as_large_as_asked_and_no_larger_than_it_is(desk, side):
    response = desk.client("viewer").get(f"/photos/1/0/{side}.jpg")

    with Image.open(io.BytesIO(response.content)) as picture:
        assert picture.format == "JPEG"
        assert max(picture.size) == side or 600 < max(picture.size) < 640
    assert response.headers["Content-Type"] == "image/jpeg"


def test_a_page_is_a_picture(desk):
    response = desk.client("viewer").get("/pages/1/1.jpg")

    with Image.open(io.BytesIO(response.content)) as picture:
        assert max(picture.size) == 700
        assert np.asarray(picture).mean() < 250


def test_static_files_are_asked_for_again_by_their_digest(desk):
    client = desk.client()
    first = client.get("/static/desk/desk.js")
    assert first.headers["Content-Type"] == "text/javascript; charset=utf-8"
    again = client.get("/static/desk/desk.js", headers={"if-none-match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


# --- words


def _sources():
    templates = "".join(path.read_text("utf-8") for path in (WEB / "templates").rglob("*.html"))
    return templates, "".join(path.read_text("utf-8") for path in WEB.glob("*.py") if path.name != "wording.py")


def test_templates_say_nothing_that_has_no_words():
    templates, code = _sources()

    asked = set(re.findall(r"\bt\.(\w+)", templates)) | set(re.findall(r'\bsay\(\s*"(\w+)"', code))
    assert asked - WORDS.keys() == set()


def test_all_words_are_used():
    templates, code = _sources()

    used = set(re.findall(r"\bt\.(\w+)", templates)) | set(re.findall(r"[\"'](\w+)[\"']", code))
    made_of = ("part_", "stage_", "not_now_", "upload_", "failed_", "search_", "column_", "why_", "arrival_")
    made = {name for name in WORDS if name.startswith(made_of)}
    by_data = {"disputed", "gone", "second", "open", "decided", "no_own_document", "no_other_document"}
    assert WORDS.keys() - used - made - by_data == set()


def test_made_up_names_of_words_are_all_there():
    from typing import get_args

    from doc_assets.archive.ledger.cases import Refusal
    from doc_assets.archive.ledger.verdicts import CaseState, Photograph, Stage
    from doc_assets.errors import StoreBusyError
    from doc_assets.faults import DocumentState
    from doc_assets.search.standing import StandingCode
    from doc_assets.web.case import USES
    from doc_assets.web.search_runs import CANCELED, KILLED, LOST, RunKind
    from doc_assets.web.searching import EXPIRED
    from doc_assets.web.uploads import RefusedFor

    wanted = {f"not_now_{why}" for why in get_args(Refusal) if why != "held"}
    wanted |= {f"stage_{stage}" for stage in get_args(Stage)} | {*get_args(CaseState), *USES, "fraud"}
    wanted |= set(get_args(Photograph)) - {"same"}
    wanted |= {f"part_{name}" for name in ("probability", "photos", "merchants", "identical_file", "age")}
    wanted |= {f"upload_{why}" for why in get_args(RefusedFor)} | {f"search_{kind}" for kind in get_args(RunKind)}
    wanted |= {f"why_{code}" for code in get_args(StandingCode)}
    wanted |= {f"arrival_{state}" for state in DocumentState}
    wanted |= {f"failed_{code}" for code in (KILLED, LOST, CANCELED, EXPIRED, StoreBusyError.__name__)}
    assert wanted - WORDS.keys() == set()


def test_korean_is_written_as_korean_is():
    for name, text in WORDS.items():
        assert not re.search(r"\s%", text.ko), name
        assert re.search(r"[가-힣]", text.ko) or name == "language", name
        assert not re.search(r"[가-힣]", text.en) or name == "language", name
        assert set(re.findall(r"{\w+}", text.ko)) == set(re.findall(r"{\w+}", text.en)), name


def test_reasons_in_korean_have_no_blank_before_per_cent(desk):
    import doc_assets.reports.wording as reports

    assert not re.search(r"[가-힣][^\"]*\s%", Path(reports.__file__).read_text("utf-8"))


@pytest.mark.parametrize(("language", "word"), [("ko", "심사 목록"), ("en", "Queue")])
def test_pages_speak_the_language_that_was_chosen(desk, language, word):
    client = desk.client("reviewer", language)
    page = client.get("/").content.decode()
    assert f'<html lang="{language}">' in page
    assert word in page

    other = {"ko": "en", "en": "ko"}[language]
    client.post("/language", {"language": other, "next": "/"})
    assert f'<html lang="{other}">' in client.get("/").content.decode()


def test_every_key_stands_on_one_button_of_a_page_alone(desk):
    client = desk.client("lead")
    for path in ("/", f"/cases/{desk.cases()[0].case_id}", "/help"):
        keys = re.findall(r'data-key="([^"]+)"', client.get(path).content.decode())
        assert len(keys) == len(set(keys)), path


def test_templates_have_no_escape_hatch():
    for path in (WEB / "templates").rglob("*.html"):
        text = path.read_text("utf-8")
        assert not re.search(r"\|safe\b|autoescape off|mark_safe|javascript:|hx-on", text), path
