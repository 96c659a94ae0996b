"""What leaves the desk: rows, the printed page, the case package; and faces, which nobody sees without asking."""

import csv
import io
import json
import zipfile

import numpy as np
import openpyxl
import pytest
from PIL import Image

from doc_assets.archive.ledger.cases import CasePair, NewCase
from doc_assets.archive.ledger.intake import ArrivedFile
from doc_assets.archive.ledger.verdicts import pair_key
from doc_assets.datatypes import Box
from doc_assets.reports.case_package import MANIFEST, verify_package
from doc_assets.reports.redaction import Face, Redactor
from doc_assets_tests.conftest import NOW
from doc_assets_tests.hostile import NAMES
from doc_assets_tests.web.conftest import text_of
from doc_assets_tests.web.home import ALONE

pytestmark = pytest.mark.whole

FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class _MiddleIsAFace:
    """Takes the middle of every picture for a face, so that drawn pictures have one."""

    sha256 = "f" * 64

    def find(self, photo):
        height, width = photo.shape[:2]
        return (Face(Box(width * 3 // 8, height * 3 // 8, width * 5 // 8, height * 5 // 8), 0.9),)


@pytest.fixture
def faced(desk):
    desk.desk.redactor = Redactor(_MiddleIsAFace())
    return desk


def _content(response):
    assert response.status_code == 200, response
    return response.getvalue()


def _rows(client, query=""):
    content = _content(client.get(f"/export.csv{query}"))
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def _pixels(content):
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def _is_pixelated(pixels):
    """Whether the middle is in blocks; the noise of the drawn photos is not."""
    height, width = pixels.shape[:2]
    part = pixels[height * 7 // 16 : height * 9 // 16, width * 7 // 16 : width * 9 // 16]
    steps = np.abs(np.diff(part.mean(axis=2), axis=1))
    return bool(np.median(steps) < 1.5)


def _plain(desk):
    """A case of one pair of photos."""
    return next(case for case in desk.cases() if case.n_pairs == 1)


def _hostile_cases(desk):
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
    return names, [case for case in desk.cases() if case.drop_key == drop]


# --- rows


@pytest.mark.parametrize(("language", "title"), [("en", "Other document"), ("ko", "상대 문서")])
def test_rows_are_those_of_the_queue_in_its_order_and_language(desk, language, title):
    rows = _rows(desk.client("reviewer", language))
    cases = desk.cases("open")

    first = {"en": "Case", "ko": "심사 번호"}[language]
    assert [int(row[first]) for row in rows] == [case.case_id for case in cases]
    assert {row[title] for row in rows} == {f"old{i}.tif" for i in range(4)}
    assert {row["주소"] for row in rows} == {f"Seoul m-new-{i}" for i in range(8)}


def test_a_filter_holds_for_the_file_and_says_its_names_in_the_audit(desk):
    name = desk.cases()[0].document
    rows = _rows(desk.client("lead"), f"?text={name}")

    assert [row["Document"] for row in rows] == [name]
    entry = desk.ledger.audit.page(1)[0]
    assert (entry.person, entry.action, entry.subject) == ("lead", "queue.export", "queue")
    assert entry.detail == {"rows": 1, "kind": "csv", "filters": ["text"]}
    assert name not in json.dumps(entry.detail)


def test_json_has_keys_that_do_not_change_and_says_the_same(desk):
    case_id = _plain(desk).case_id
    desk.judge(desk.client("reviewer"), case_id, "same", "fraud")
    for language in ("ko", "en"):
        found = json.loads(_content(desk.client("auditor", language).get("/export.json?state=decided")))
        assert [row["case"] for row in found] == [case_id]
        (row,) = found
        assert list(row) == [
            "case", "state", "priority", "query_document", "merchant_id", "drop", "query_photo", "finding",
            "probability", "document", "photo", "verdict", "decided_by", "decided_at", "fields",
        ]  # fmt: skip
        assert (row["state"], row["verdict"], row["decided_by"]) == ("decided", "fraud", "reviewer")
        assert row["fields"]["주소"].startswith("Seoul m-new-")
        assert row["decided_at"].endswith("+00:00")


def test_a_workbook_has_numbers_and_no_formula(desk):
    _hostile_cases(desk)
    book = openpyxl.load_workbook(io.BytesIO(_content(desk.client("lead").get("/export.xlsx"))))
    rows = list(book.active.iter_rows())

    assert [cell.value for cell in rows[0]][:4] == ["Case", "State", "Priority", "Document"]
    assert len(rows) == 1 + len(desk.cases("open"))
    assert {cell.data_type for row in rows for cell in row} <= {"s", "n"}
    assert all(row[0].data_type == row[2].data_type == "n" for row in rows[1:])
    assert not any(cell.hyperlink for row in rows for cell in row)


def test_no_cell_of_a_csv_starts_a_formula_or_hides_something(desk):
    names, cases = _hostile_cases(desk)
    rows = _rows(desk.client("lead"))

    assert len(rows) == len(cases) + 8
    for row in rows:
        for cell in [*row.keys(), *row.values()]:
            assert not cell.startswith(FORMULAS)
            assert not {"\u202e", "\u200b", "\0"} & set(cell)
    assert sum(row["Document"].strip("'") == "=1+1" for row in rows) == 1
    assert len(names) == len(cases)


def test_columns_that_are_left_out_are_nowhere(make_desk):
    desk = make_desk(remove_columns_from_results=["merchant_id", "주소", "decided_by"], key_fields=["주소"])
    desk.judge(desk.client("lead"), desk.cases()[0].case_id)
    client = desk.client("lead")
    case_id = desk.cases()[0].case_id
    taken = [
        *(
            _content(client.get(f"/export.{kind}?state={state}"))
            for kind in ("csv", "json")
            for state in ("", "decided")
        ),
        _content(client.get(f"/cases/{case_id}/print")),
        *_members(client, case_id).values(),
    ]
    for content in taken:
        assert b"m-new-" not in content
        assert b"m-old-" not in content
        assert "주소".encode() not in content
    assert "decided_by" not in json.loads(taken[2])[0]


@pytest.mark.parametrize("kind", ["csv", "xlsx", "json"])
def test_an_empty_list_is_a_file_too(desk, kind):
    assert _content(desk.client("lead").get(f"/export.{kind}?text=nobody"))


def test_more_cases_than_a_file_holds_are_refused_in_words(desk, monkeypatch):
    from doc_assets.web import exports

    monkeypatch.setattr(exports, "MOST_EXPORTED", 7)
    response = desk.client("lead").get("/export.csv", follow=True)

    assert "More than 7 cases cannot be downloaded" in text_of(response)
    assert not [action for _, action, _ in desk.actions() if action == "queue.export"]


def test_the_queue_offers_files_to_those_who_may_take_them_and_says_how_many(desk):
    page = desk.client("reviewer").get("/?state=open").content.decode()
    for kind in ("csv", "xlsx", "json"):
        assert f'href="/export.{kind}?state=open"' in page
    assert "at most 10,000 cases" in page
    assert "/export." not in desk.client("viewer").get("/").content.decode()


def test_who_may_judge_next_does_not_learn_the_first_verdict(make_desk):
    desk = make_desk(review_second_for_fraud=True)
    case_id = _plain(desk).case_id
    desk.judge(desk.client("reviewer"), case_id, "same", "fraud", comment="I know him")

    for person, knows in (("second", False), ("lead", False), ("reviewer", True), ("auditor", True)):
        client = desk.client(person)
        (row,) = json.loads(_content(client.get("/export.json?state=second")))
        assert (row["verdict"] == "fraud", row["decided_by"] == "reviewer") == (knows, knows), person
        printed = _content(client.get(f"/cases/{case_id}/print")).decode()
        members = _members(client, case_id)
        for content in (printed, members["index.html"].decode(), members["case.json"].decode()):
            assert ("I know him" in content) == knows, person
        assert bool(json.loads(members["case.json"])["verdicts"]) == knows


# --- the printed page


@pytest.mark.parametrize(
    ("language", "words"), [("en", ["Verdicts", "pixelated"]), ("ko", ["판정 기록", "얼굴은 가렸습니다"])]
)
def test_the_printed_page_has_everything_of_a_case_and_no_script(desk, language, words):
    case = next(case for case in desk.cases() if len(desk.keys(case.case_id)) > 1)
    client = desk.client("reviewer", language)
    for pair in range(len(desk.keys(case.case_id))):
        desk.judge(client, case.case_id, pair=pair, comment="seen twice")
    page = _content(client.get(f"/cases/{case.case_id}/print")).decode()

    assert "<script" not in page
    assert page.count('<section class="pair">') == len(desk.keys(case.case_id))
    document = desk.ledger.documents.with_row_ids([case.row_id])[0]
    for text in (case.document, document.sha256, *desk.keys(case.case_id), "seen twice", "doc_assets", *words):
        assert text in page
    assert f"/photos/{case.row_id}/" in page
    assert "/cases/" not in page.replace(f"/cases/{case.case_id}/print", "")  # no picture as it is
    assert desk.actions()[-1] == ("reviewer", "case.print", f"case {case.case_id}")


@pytest.mark.whole
def test_hostile_names_are_harmless_on_paper_and_in_packages(desk):
    _, cases = _hostile_cases(desk)
    client = desk.client("lead")
    for case in cases:
        pages = [_content(client.get(f"/cases/{case.case_id}/print")).decode()]
        members = _members(client, case.case_id)
        pages += [members["index.html"].decode(), members["case.json"].decode()]
        for page in pages:
            assert not any(char in page for char in "\u202e\u200b\0\x1b")
        for page in pages[:2]:
            assert "<script>" not in page
            assert "<img src=x" not in page
        assert set(members) <= {"index.html", "style.css", "case.json", "result.json", MANIFEST}


# --- the case package


def _members(client, case_id, query=""):
    content = _content(client.get(f"/cases/{case_id}/package.zip{query}"))
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        return {name: package.read(name) for name in package.namelist()}


def test_a_package_without_the_right_has_no_document_and_no_face(faced):
    case = _plain(faced)
    members = _members(faced.client("reviewer"), case.case_id)
    about = json.loads(members[MANIFEST])

    assert not [name for name in members if name.startswith("documents/")]
    assert about["redacted"] is True
    pictures = [name for name in members if name.endswith(("own.jpg", "other.jpg"))]
    assert len(pictures) == 2 * len(faced.keys(case.case_id))
    assert all(_is_pixelated(_pixels(members[name])) for name in pictures)
    assert "not included" in members["index.html"].decode()
    assert b"<script" not in members["index.html"]


@pytest.mark.parametrize(
    ("name", "status"), [("reviewer", 403), ("viewer", 403), ("admin", 403), ("lead", 200), ("auditor", 200)]
)
def test_originals_are_for_leads_and_auditors(faced, name, status):
    case = _plain(faced)
    response = faced.client(name).get(f"/cases/{case.case_id}/package.zip?originals=1")
    content = response.getvalue()

    assert response.status_code == status
    taken = [action for _, action, _ in faced.actions() if action == "case.package"]
    assert len(taken) == (status == 200)
    if status == 200:
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            documents = [name for name in package.namelist() if name.startswith("documents/")]
            assert documents == ["documents/1.tif", "documents/2.tif"]
            staged = (faced.desk.runtime.settings.home / "documents").rglob("*.tif")
            known = {path.read_bytes() for path in staged}
            assert all(package.read(name) in known for name in documents)
            assert not _is_pixelated(_pixels(package.read("pairs/1/own.jpg")))


def test_a_package_verifies_and_its_digest_is_in_the_audit(desk, tmp_path):
    case = _plain(desk)
    client = desk.client("lead")
    desk.judge(client, case.case_id, "same", "fraud", comment="a note")
    path = tmp_path / "package.zip"
    response = client.get(f"/cases/{case.case_id}/package.zip?originals=1")
    path.write_bytes(_content(response))
    found = verify_package(path)

    assert response.headers["Content-Disposition"] == f'attachment; filename="case-{case.case_id}.zip"'
    entry = desk.ledger.audit.page(1)[0]
    assert (entry.action, entry.subject) == ("case.package", f"case {case.case_id}")
    assert entry.detail["manifest"] == found.manifest_sha256
    assert entry.detail["members"] == found.members
    assert (entry.detail["documents"], entry.detail["pictures"], entry.detail["redacted"]) == (2, 3, False)
    with zipfile.ZipFile(path) as package:
        about, facts = json.loads(package.read(MANIFEST)), json.loads(package.read("case.json"))
        page = package.read("index.html").decode()
    assert about["exported_by"] == "lead"
    assert about["program"]["doc_assets"]
    assert len(about["models"]["faces"]["sha256"]) == len(about["models"]["photo_pairs"]) == 64
    assert facts["verdicts"][0]["use"] == "fraud"
    assert facts["comments"][0]["text"] == "a note"
    assert facts["pairs"][0]["compared"]["transform"]
    assert {each["sha256"] for each in facts["documents"]} == {each["sha256"] for each in about["documents"].values()}
    for address in ("style.css", "pairs/1/own.jpg", "pairs/1/evidence.jpg", "documents/1.tif"):
        assert f'"{address}"' in page
    assert "http" not in page.replace("<!doctype html>", "")


def test_a_document_that_is_gone_is_told_and_the_rest_is_there(desk):
    case = _plain(desk)
    document = desk.ledger.documents.with_row_ids([case.row_id])[0]
    for path in (desk.desk.runtime.settings.home / "documents").rglob(f"{document.sha256}.tif"):
        path.unlink()
    members = _members(desk.client("lead"), case.case_id, "?originals=1")

    assert "documents/2.tif" in members
    assert "documents/1.tif" not in members
    assert json.loads(members[MANIFEST])["absent"] == ["Document 1: the file is no longer there"]


def test_nothing_of_an_export_stays_in_the_home(desk):
    client = desk.client("lead")
    _members(client, desk.cases()[0].case_id, "?originals=1")
    _rows(client)
    folder = desk.desk.runtime.settings.home / "exports"
    assert list(folder.iterdir()) == []
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_package_that_is_too_large_is_refused_in_words(desk, monkeypatch):
    from doc_assets.errors import PackageError
    from doc_assets.web import packages

    def refuse(*_):
        raise PackageError("too large")

    monkeypatch.setattr(packages, "write_package", refuse)
    response = desk.client("lead").get(f"/cases/{desk.cases()[0].case_id}/package.zip", follow=True)
    assert "exceed 1 GB" in text_of(response)


@pytest.mark.parametrize("path", ["print", "package.zip"])
@pytest.mark.parametrize("case_id", ["0", "999999999"])
def test_a_case_that_is_not_there_is_not_taken_out(desk, path, case_id):
    assert desk.client("lead").get(f"/cases/{case_id}/{path}").status_code == 404


def test_a_case_of_which_nothing_counts_any_more_is_taken_out_with_what_is_left(desk):
    case = _plain(desk)
    desk.ledger.cases.file([case.row_id], [], NOW, age_per_day=0.0, rule=ALONE)
    client = desk.client("lead")
    page = text_of(client.get(f"/cases/{case.case_id}/print"))
    members = _members(client, case.case_id, "?originals=1")

    assert "No longer counts" in page
    assert json.loads(members["case.json"])["pairs"] == []
    assert "documents/1.tif" in members


# --- faces


@pytest.mark.parametrize("path", ["/photos/{row}/0/320.jpg", "/photos/{row}/0/1024.jpg"])
def test_pictures_are_pixelated_in_the_same_size_until_somebody_asks(faced, path):
    case = _plain(faced)
    client = faced.client("reviewer")
    address = path.format(row=case.row_id)
    hidden = client.get(address)
    assert _is_pixelated(_pixels(hidden.content))
    assert client.get(f"/cases/{case.case_id}{address}").status_code == 403

    client.post(f"/cases/{case.case_id}/faces")
    shown = client.get(f"/cases/{case.case_id}{address}")
    assert not _is_pixelated(_pixels(shown.content))
    assert _pixels(shown.content).shape == _pixels(hidden.content).shape
    assert shown.headers["Cache-Control"] == "no-store"
    assert "immutable" in hidden.headers["Cache-Control"]
    assert _is_pixelated(_pixels(client.get(address).content))  # this address never shows a face


def test_a_page_is_pixelated_too(faced):
    case, client = faced.cases()[0], faced.client("lead")
    hidden = _pixels(client.get(f"/pages/{case.row_id}/1.jpg").content)
    client.post(f"/cases/{case.case_id}/faces")
    shown = _pixels(client.get(f"/cases/{case.case_id}/pages/{case.row_id}/1.jpg").content)

    assert shown.shape == hidden.shape
    assert np.abs(shown - hidden).max() > 30


def test_faces_are_shown_in_their_case_alone_and_hidden_again(faced):
    case, other = faced.cases()[:2]
    client = faced.client("reviewer")
    client.post(f"/cases/{case.case_id}/faces?state=open", {"pair": "0"})
    own, strange = f"/cases/{case.case_id}/photos", f"/cases/{other.case_id}/photos"

    page = client.get(f"/cases/{case.case_id}").content.decode()
    assert f"{own}/{case.row_id}/" in page
    assert "Hide faces" in page
    assert f"{strange}/" not in client.get(f"/cases/{other.case_id}").content.decode()
    assert client.get(f"{own}/{case.row_id}/0/320.jpg").status_code == 200
    assert client.get(f"{own}/{other.row_id}/0/320.jpg").status_code == 404
    assert client.get(f"{strange}/{other.row_id}/0/320.jpg").status_code == 403

    client.post(f"/cases/{case.case_id}/faces", {"show": "0"})
    assert client.get(f"{own}/{case.row_id}/0/320.jpg").status_code == 403
    told = [
        (entry.person, entry.subject, entry.detail)
        for entry in faced.ledger.audit.page(99)
        if entry.action == "case.faces"
    ]
    assert told == [
        ("reviewer", f"case {case.case_id}", {"shown": False}),
        ("reviewer", f"case {case.case_id}", {"shown": True}),
    ]


def test_another_session_sees_no_faces(faced):
    case = faced.cases()[0]
    faced.client("reviewer").post(f"/cases/{case.case_id}/faces")
    other = faced.client("reviewer")
    assert other.get(f"/cases/{case.case_id}/photos/{case.row_id}/0/320.jpg").status_code == 403


@pytest.mark.parametrize("values", [{"pair": "x"}, {"pair": "9" * 40}, {"show": "yes"}, {"pair": "\0"}, {}])
def test_the_button_answers_whatever_it_is_sent(desk, values):
    case = desk.cases()[0]
    assert desk.client("reviewer").post(f"/cases/{case.case_id}/faces", values).status_code == 302
    assert desk.client("reviewer").post("/cases/999999/faces", values).status_code == 404


def test_a_desk_without_its_network_does_not_open(make_desk, monkeypatch):
    from doc_assets.errors import MissingModelError
    from doc_assets.web import desk as module

    def missing():
        raise MissingModelError("no network")

    monkeypatch.setattr(module, "built_in_redactor", missing)
    with pytest.raises(MissingModelError):
        make_desk()


def test_a_viewer_sees_no_button_for_faces(desk):
    page = desk.client("viewer").get(f"/cases/{desk.cases()[0].case_id}").content.decode()
    assert "Show faces" not in page
    assert "package.zip" not in page
