"""Search by files: what comes in, who may, what is shown, and that nothing is left."""

import asyncio
import os
import re
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from doc_assets.errors import ServiceError
from doc_assets.web.search_runs import RunState
from doc_assets_tests.hostile import NAMES
from doc_assets_tests.web.conftest import text_of
from doc_assets_tests.web.searches import ToldRuns, a_search, end_run, picture, sent

START = "/search/start"


@pytest.fixture
def runs():
    return ToldRuns()


@pytest.fixture
def desk(make_desk, runs):
    made = make_desk(desk_upload_max_bytes=1 << 16, desk_upload_files=3, desk_waiting_files=4)
    made.desk.searches.runs = runs
    return made


def left(desk):
    """Names of what lies in the folder of uploads."""
    folder = desk.desk.runtime.settings.uploads_dir
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) if folder.exists() else []


def search(desk, client, *files, **more):
    """Sends files; returns the number of the search."""
    response = client.post(START, {"files": list(files) or [sent()], **more})
    assert response.status_code == 302, text_of(response)
    return int(response.headers["Location"].rsplit("/", 1)[1])


def labels(runs, at=-1):
    return [path.rsplit("/", 1)[1] for path in runs.launched[at][0]["files"]]


# --- what comes in


def test_a_file_waits_for_its_run_in_a_private_folder_under_a_name_of_ours(desk, runs):
    content = picture("PNG")
    search(desk, desk.client("viewer"), sent("N20240101.tif", content, "image/tiff"))

    (config, tags) = runs.launched[0]
    (path,) = config["files"]
    folder = desk.desk.runtime.settings.uploads_dir
    assert Path(path).read_bytes() == content
    assert re.fullmatch(rf"{folder}/([a-z]{{20}})/\1-1\.png", path)  # by its content, whatever it is called
    modes = [each.stat().st_mode & 0o777 for each in (Path(path), Path(path).parent, folder)]
    assert modes == [0o600, 0o700, 0o700]
    assert config | {"files": []} == {
        "files": [],
        "requested_by": "viewer",
        "privacy_mode": True,
        "include_batch": False,
        "look_inside": True,
        "max_pages": 50,
    }
    assert tags == {
        "dagster/priority": "10",
        "dagster/max_retries": "0",
        "doc_assets/interactive": "true",
        "doc_assets/requested_by": "viewer",
    }


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "PDF"])
def test_every_kind_of_document_is_taken(desk, runs, kind):
    search(desk, desk.client("viewer"), sent("a", picture(kind), "text/plain"))

    suffix = {"JPEG": "jpg", "TIFF": "tif"}.get(kind, kind.lower())
    assert labels(runs)[0].endswith(f"-1.{suffix}")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.svg", b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'),
        ("a.png", b"<!DOCTYPE html><script>alert(1)</script>"),
        ("a.jpg", b"GIF89a" + b"\0" * 99),
        ("a.pdf", b"PK\x03\x04" + b"\0" * 99),
        ("a.tif", b"\x7fELF" + b"\0" * 2000),
        ("a.tif", b"\0" * 5000),
        ("a.jpg", b"x"),
    ],
)
def test_what_is_no_document_is_refused_whatever_it_claims(desk, runs, name, content):
    response = desk.client("viewer").post(START, {"files": [sent(name, content)]})

    assert (response.status_code, runs.launched, left(desk)) == (400, [], [])
    assert f"{name}: not searched" in text_of(response)


def test_the_good_ones_of_several_are_searched(desk, runs):
    client = desk.client("viewer")
    number = search(desk, client, sent("bad.svg", b"<svg/>"), sent("good.jpg"), sent("none.jpg", b" "))

    assert len(runs.launched[0][0]["files"]) == 1
    page = text_of(client.get(f"/searches/{number}"))
    assert "bad.svg: not searched" in page
    assert "none.jpg: not searched" in page
    assert [file.name for file in desk.ledger.desk_searches.files([number])[number]] == ["good.jpg"]


def test_too_much_is_refused_and_leaves(desk, runs):
    client = desk.client("viewer")
    response = client.post(START, {"files": [sent(content=picture("BMP", (300, 300)))]})
    assert (response.status_code, left(desk)) == (413, [])
    assert "At most 64.0" in text_of(response)

    number = search(desk, client, *(sent(f"{n}.jpg") for n in range(4)))
    assert len(runs.launched[0][0]["files"]) == 3
    assert "At most 3 files at once." in text_of(client.get(f"/searches/{number}"))


def test_the_second_file_of_those_that_are_too_large_together_is_passed_over(desk, runs):
    half = picture("BMP", (120, 120))
    assert (1 << 15) < len(half) < (1 << 16)

    search(desk, desk.client("viewer"), sent("1.bmp", half), sent("2.bmp", half))

    (path,) = runs.launched[0][0]["files"]
    assert [Path(path).name] == [name.split("/")[1] for name in left(desk) if "/" in name]


def test_a_person_may_have_so_many_files_wait(desk, runs):
    client = desk.client("viewer")
    search(desk, client, sent("1.jpg"), sent("2.jpg"), sent("3.jpg"))

    response = client.post(START, {"files": [sent("4.jpg"), sent("5.jpg")]})
    assert (response.status_code, len(runs.launched)) == (429, 1)
    assert len(left(desk)) == 4  # a folder and three files
    search(desk, desk.client("reviewer"), sent())  # another person's are not counted
    search(desk, client, sent("4.jpg"))


def test_a_request_without_files_says_so(desk):
    response = desk.client("viewer").post(START, {"keep": "1"})
    assert (response.status_code, "Choose a file first." in text_of(response)) == (400, True)


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_name_is_shown_and_is_no_path(desk, runs, name):
    client = desk.client("viewer")
    body = (
        b'--b\r\nContent-Disposition: form-data; name="files"; filename="'
        + name.replace('"', "%22").replace("\r", "").replace("\n", "").encode()
        + b'"\r\nContent-Type: image/jpeg\r\n\r\n'
        + picture()
        + b"\r\n--b--\r\n"
    )
    response = client.post(START, body, content_type="multipart/form-data; boundary=b")
    if response.status_code != 302:  # a name of blanks alone is none, and a file without one is no file
        assert (response.status_code, left(desk)) == (400, [])
        return
    assert re.fullmatch(r"[a-z]{20}-1\.jpg", labels(runs)[0])
    page = client.get(response.headers["Location"]).content.decode()
    assert [bad for bad in ("<script>alert", "<img src=x", "\u202e", "\u200b", "\0") if bad in page] == []


def test_without_the_token_of_the_form_nothing_is_kept(desk, runs):
    client = desk.client("viewer", enforce_csrf_checks=True)
    for wrong in ({}, {"csrfmiddlewaretoken": "x" * 64}):
        response = client.post(START, {"files": [sent()], **wrong})
        assert (response.status_code, runs.launched, left(desk)) == (403, [], [])
        client.get("/search")  # gives the cookie: from now on the form is read before it is refused

    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', client.get("/search").content.decode())[1]
    search(desk, client, sent(), csrfmiddlewaretoken=token)
    assert len(runs.launched) == 1


@pytest.mark.parametrize("name", ["admin", "auditor", "nobody", None])
def test_whoever_may_not_search_leaves_no_byte(desk, runs, name):
    response = desk.client(name).post(START, {"files": [sent()]})
    assert response.status_code == (302 if name is None else 403)
    assert (runs.launched, left(desk)) == ([], [])


def test_other_routes_take_no_files(desk):
    case = desk.cases()[0]
    desk.client("lead").post(f"/cases/{case.case_id}/comment", {"comment": "x", "files": [sent()]})
    assert left(desk) == []


@pytest.mark.parametrize("cut", [1, 5, 1023, 1024, 1025])
def test_the_kind_is_told_however_the_bytes_arrive(desk, cut):
    from django.core.files.uploadhandler import SkipFile

    from doc_assets.web.uploads import Reception

    reception = Reception(None, desk.desk.searches.uploads)
    content = picture("PNG")
    reception.new_file("files", "a.png", "image/png", None, None, {})
    reception.receive_data_chunk(content[:cut], 0)
    reception.receive_data_chunk(content[cut:], cut)
    reception.file_complete(len(content))
    assert (len(reception.files), reception.files[0].size_bytes) == (1, len(content))

    reception.new_file("files", "b.png", "image/png", None, None, {})
    with pytest.raises(SkipFile):
        reception.receive_data_chunk(b"<svg>" + b" " * 1024, 0)
    assert [each.why for each in reception.refused] == ["kind"]
    reception.discard()
    assert left(desk) == []


def _answered(app, method, path, length, cookie="", **more):
    """Status with which a request is answered, and whether its body was asked for."""
    asked, said = [], []

    async def receive():
        asked.append(1)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        said.append(message)

    headers = [(b"content-length", str(length).encode()), (b"cookie", cookie.encode())]
    headers += [(name.encode(), value.encode()) for name, value in more.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": headers}
    asyncio.run(app(scope, receive, send))
    return said[0]["status"], bool(asked)


def test_a_large_body_is_read_of_somebody_who_may_search_alone(desk):
    from django.conf import settings

    from doc_assets.web.server import _SmallBodies

    async def inner(scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    app = _SmallBodies(inner, 1 << 20)
    cookies = {
        name: f"{settings.SESSION_COOKIE_NAME}={desk.client(name).session.session_key}"
        for name in ("viewer", "reviewer", "lead", "admin", "auditor", "nobody")
    }
    large = 1 << 19

    found = {name: _answered(app, "POST", START, large, cookie) for name, cookie in cookies.items()}
    may, may_not = (200, True), (403, False)
    assert found == dict.fromkeys(["viewer", "reviewer", "lead"], may) | dict.fromkeys(
        ["admin", "auditor", "nobody"], may_not
    )
    assert _answered(app, "POST", START, large) == may_not
    assert _answered(app, "POST", START, large, "session=forged; \x00=;") == may_not
    assert _answered(app, "POST", START, (1 << 20) + (1 << 17), cookies["lead"]) == (413, False)
    assert _answered(app, "POST", "/searches/1/delete", large, cookies["lead"]) == (413, False)
    assert _answered(app, "PUT", START, large, cookies["lead"]) == (413, False)
    assert _answered(app, "POST", START, 0, cookies["lead"], **{"transfer-encoding": "chunked"}) == (411, False)
    assert _answered(app, "GET", "/", 0) == may


# --- until it has ended


def test_it_says_how_far_it_is_and_then_what_was_found(desk, runs):
    client = desk.client("viewer")
    number = search(desk, client, sent("my photo.jpg"))
    address = f"/searches/{number}"
    told = [client.get(f"{address}/state").json()]
    runs.states["run-1"] = RunState("running", "searching: 1/2")
    told.append(client.get(f"{address}/state").json())
    runs.states["run-1"] = ServiceError("gone")
    told.append(client.get(f"{address}/state").json())
    waits = client.get(address)
    assert b'http-equiv="refresh"' in waits.content
    assert len(left(desk)) == 2

    end_run(desk, "run-1", labels(runs))
    runs.states["run-1"] = RunState("done")
    told.append(client.get(f"{address}/state").json())

    assert [each["says"] for each in told[:2]] == ["Waiting for its turn", "Comparing with the archive 1/2"]
    assert "does not answer" in told[2]["says"]
    assert [each["ended"] for each in told] == [False, False, False, True]
    assert left(desk) == []
    page = client.get(address)
    words = text_of(page)
    assert "old0.tif: same photograph 97%" in words
    assert "my photo.jpg" in words
    assert "Pictures of the file were not kept" in words
    assert labels(runs)[0] not in page.content.decode()
    assert b'"other": "/photos/' in page.content


def test_a_run_that_failed_says_why_and_what_to_do_and_its_files_leave(desk, runs):
    client = desk.client("reviewer", language="ko")
    said = {
        "StoreBusyError: The vector store was in use": "입고 작업이 끝난 다음",
        "Killed: it": "중간에 끝났습니다",
        "Lost: it": "다시 시작되어",
        "Expired: it": "정해진 시간",
        "Canceled: it": "중단했습니다",
        "IndexSchemaError: none": "색인이 없습니다",
        "ValueError: <b>what</b> nobody foresaw": "아래 내용을 알리세요",
    }
    for at, (failure, words) in enumerate(said.items(), 1):
        number = search(desk, client, sent())
        runs.states[f"run-{at}"] = RunState("failed", failure=failure)
        page = client.get(f"/searches/{number}")
        assert words in text_of(page), failure
        assert b"<b>what" not in page.content
    assert left(desk) == []
    assert "실패" in text_of(client.get("/searches"))


def test_a_failed_run_with_a_result_shows_it_with_what_it_lacks(desk, runs):
    client = desk.client("viewer")
    number = search(desk, client, sent("broken.jpg"))
    end_run(
        desk, "run-1", labels(runs), searched=False, state="rejected", error="The file is cut off.", risk_score=None
    )
    runs.states["run-1"] = RunState("failed", failure="1 of 1 query documents could not be read")

    words = text_of(client.get(f"/searches/{number}"))
    assert "The file could not be read" in words
    assert "The file is cut off." in words
    assert left(desk) == []


def test_a_search_that_cannot_be_started_leaves_no_file(desk, runs):
    runs.refuses = "Dagster is away"
    client = desk.client("viewer")
    number = search(desk, client, sent())

    assert left(desk) == []
    assert "could not be started" in text_of(client.get(f"/searches/{number}"))


def test_what_a_killed_desk_left_goes_at_the_next_start(desk, runs):
    client = desk.client("viewer")
    first, second = search(desk, client, sent()), search(desk, client, sent())
    runs.states.clear()  # the desk was killed, and its runs with it
    end_run(desk, "run-2", labels(runs))  # but this one had just ended

    desk.desk.searches.watch(desk.desk.now())

    searches = desk.ledger.desk_searches
    assert (searches.get(first).failure.split(":")[0], searches.get(second).failure) == ("Lost", None)
    assert (left(desk), searches.unended()) == ([], [])


def test_what_no_search_has_goes_by_age(desk, runs):
    number = search(desk, desk.client("viewer"), sent())
    uploads, searches = desk.desk.searches.uploads, desk.desk.searches
    old, new = uploads.new_folder(), uploads.new_folder()
    for folder in (old, uploads.folder(desk.ledger.desk_searches.get(number).folder)):
        os.utime(folder, (1, 1))

    searches.remove_strays()

    assert (old.exists(), new.exists(), len(labels(runs))) == (False, True, 1)
    assert Path(runs.launched[0][0]["files"][0]).exists()


def test_a_run_that_never_ends_does_not_keep_its_files(desk, runs):
    number = search(desk, desk.client("viewer"), sent())
    desk.desk.searches.watch(desk.desk.now() + timedelta(hours=25))

    assert left(desk) == []
    assert desk.ledger.desk_searches.get(number).failure.startswith("Expired")


def test_the_watch_files_ends_that_nobody_looks_at(desk, runs):
    import time

    from doc_assets.web.searching import watching

    search(desk, desk.client("viewer"), sent())
    end_run(desk, "run-1", labels(runs))
    runs.states["run-1"] = RunState("done")
    with watching(desk.desk.searches):
        until = time.monotonic() + 20
        while desk.ledger.desk_searches.unended() and time.monotonic() < until:
            time.sleep(0.02)
    assert (left(desk), runs.is_closed) == ([], True)


# --- kept, seen, repeated, deleted


def test_kept_files_show_their_pictures_and_can_be_searched_again(desk, runs):
    client = desk.client("viewer")
    number = search(desk, client, sent("mine.jpg"), keep="1")
    assert runs.launched[0][0]["privacy_mode"] is False
    end_run(desk, "run-1", labels(runs), keeps=True)
    runs.states["run-1"] = RunState("done")
    page = client.get(f"/searches/{number}")

    assert b'"own": "/searches/1/photos/0/0.jpg"' in page.content
    for address in (f"/searches/{number}/photos/0/0.jpg", f"/searches/{number}/pages/0/1.jpg"):
        response = client.get(address)
        assert (response.status_code, response.content[:3]) == (200, b"\xff\xd8\xff")
        assert response.headers["Cache-Control"] == "private, no-store"
        assert desk.client("reviewer").get(address).status_code == 404
    assert client.get(f"/searches/{number}/photos/1/0.jpg").status_code == 404
    assert left(desk) == []

    response = client.post(f"/searches/{number}/again")
    assert response.headers["Location"] == "/searches/2"
    shutil.rmtree(desk.desk.runtime.settings.results_dir)  # by its age
    page = client.get(f"/searches/{number}")
    assert "have left by their age" in text_of(page)
    assert b"/photos/0/0.jpg" not in page.content
    assert client.post(f"/searches/{number}/again").headers["Location"] == "/search"
    assert Path(runs.launched[1][0]["files"][0]).read_bytes() == picture()
    assert desk.ledger.desk_searches.files([2])[2][0].name == "mine.jpg"


def test_of_files_that_were_not_kept_there_are_no_pictures(desk):
    number = a_search(desk, "viewer")
    client = desk.client("viewer")
    assert client.get(f"/searches/{number}/photos/0/0.jpg").status_code == 404
    response = client.post(f"/searches/{number}/again")
    assert response.headers["Location"] == "/search"


def test_a_deleted_search_leaves_nothing(desk, runs):
    client = desk.client("viewer")
    number = search(desk, client, sent("needle-of-hay.jpg"), keep="1")
    response = client.post(f"/searches/{number}/delete")
    assert response.headers["Location"] == f"/searches/{number}"  # it is still at work
    end_run(desk, "run-1", labels(runs), keeps=True)
    runs.states["run-1"] = RunState("done")
    client.get(f"/searches/{number}")

    assert client.post(f"/searches/{number}/delete").headers["Location"] == "/searches"

    home = desk.desk.runtime.settings.home
    assert [path for path in home.rglob("*") if "run-1" in str(path) or labels(runs)[0] in path.name] == []
    assert client.get(f"/searches/{number}").status_code == 404
    assert "run-1" not in desk.ledger.searches.ids()
    assert desk.ledger.desk_searches.about(["needle-of-hay"], []) == []


def test_others_see_what_their_role_sees(desk):
    number = a_search(desk, "viewer", name="secret.jpg")
    address = f"/searches/{number}"
    seen = {
        name: desk.client(name).get(address).status_code for name in ("viewer", "reviewer", "lead", "auditor", "admin")
    }
    assert seen == {"viewer": 200, "reviewer": 404, "lead": 200, "auditor": 200, "admin": 403}
    assert desk.client("reviewer").get(f"{address}/state").status_code == 404
    assert desk.client("reviewer").post(f"{address}/delete").status_code == 404
    assert desk.client("auditor").post(f"{address}/delete").status_code == 403

    lists = {name: text_of(desk.client(name).get("/searches?all")) for name in ("reviewer", "lead", "auditor")}
    assert [name for name, words in lists.items() if "secret.jpg" in words] == ["lead", "auditor"]
    assert "secret.jpg" not in text_of(desk.client("lead").get("/searches"))
    assert desk.client("lead").post(f"{address}/delete").status_code == 302
    assert desk.ledger.desk_searches.get(number) is None


def test_the_history_goes_on_where_its_page_ended(desk):
    numbers = [a_search(desk, "viewer", ended=False) for _ in range(52)]
    client = desk.client("viewer")
    first = client.get("/searches").content.decode()
    more = re.search(r'href="\?before=(\d+)"', first)[1]
    second = client.get(f"/searches?before={more}").content.decode()
    found = [int(n) for page in (first, second) for n in re.findall(r'<td><a href="/searches/(\d+)">\d+</a>', page)]
    assert found == numbers[::-1]


def test_the_audit_says_who_by_number_and_names_no_file(desk, runs):
    client = desk.client("viewer")
    number = search(desk, client, sent("who-am-i.jpg"))
    client.get(f"/searches/{number}")  # waits: nothing was seen yet
    end_run(desk, "run-1", labels(runs))
    runs.states["run-1"] = RunState("done")
    desk.client("lead").get(f"/searches/{number}")
    client.post(f"/searches/{number}/delete")

    assert desk.actions() == [
        ("viewer", "search.start", "search 1"),
        ("lead", "search.see", "search 1"),
        ("viewer", "search.delete", "search 1"),
    ]
    rows = desk.ledger.audit.page(9)
    assert {row.detail["run"] for row in rows} == {"run-1"}
    assert "who-am-i" not in str(rows)
