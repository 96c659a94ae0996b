"""What the API answers, over real HTTP."""

import base64
import hashlib
import json

import pytest

from doc_assets_tests.hostile import NAMES

pytestmark = pytest.mark.whole  # a server answers hundreds of requests

FIRST, SECOND = "N20240101THA00100001_12.tif", "N20240101THA00100001_13.tif"


def test_a_key_gives_its_first_document_and_names_the_others(served):
    answer = served.get("N20240101THA00001", comany_registration="123-45", comapany_name="미용실")

    assert answer.status_code == 200
    assert answer.json() == {
        "server_filename": FIRST,
        "image_b64": base64.b64encode(b"II*\0" + FIRST.encode()).decode(),
        "saved_to_folder": False,
        "echo_request": {
            "filename": "N20240101THA00001",
            "comany_registration": "123-45",
            "comapany_name": "미용실",
        },
        "matched_row_excerpt": {
            "파일명": "N20240101THA00001",
            "사업자등록번호": "123-45",
            "수신일자": "2024.01.01",
            "업종명": "미용실",
        },
        "other_filenames": [SECOND],
    }
    assert served.get(SECOND).json()["server_filename"] == SECOND
    assert served.get(SECOND.lower().removesuffix(".tif")).json()["matched_row_excerpt"]["업종명"] == "미용실"


def test_a_body_is_json_whatever_it_is_called(served):
    body = json.dumps({"filename": "n20240102tha00001", "수신일자": None})
    answer = served.client.post("/images", content=body, headers={"Content-Type": "text/plain"})

    assert answer.json()["server_filename"] == "N20240102THA00100001_1.TIF"
    assert answer.json()["echo_request"] == {"filename": "n20240102tha00001", "수신일자": None}
    assert answer.json()["matched_row_excerpt"]["수신일자"] is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[]",
        b'{"filename": 5}',
        b'{"filename": ""}',
        b'{"filename": "\\ud800"}',
        b'{"filename": "x", "more": 1e999}',
        b'{"filename": "x", "save_to_folder": {}}',
        b"[" * 50_000,
        b"\xff",
    ],
)
def test_a_wrong_body_is_refused(served, body):
    answer = served.client.post("/images", content=body)

    assert answer.status_code == 400
    assert set(answer.json()) == {"error", "echo_request"}


def test_a_large_body_is_refused(served):
    assert served.client.post("/images", content=b" " * (1 << 20)).status_code == 413


def test_an_unknown_key_names_what_was_tried_and_no_folder(served):
    answer = served.get("N20249999THA00001")

    assert answer.status_code == 404
    assert "N20249999THA00100001_*" in answer.json()["error"]
    assert str(served.folder) not in answer.text
    assert answer.json()["echo_request"] == {"filename": "N20249999THA00001"}


def test_different_files_of_one_name_are_not_chosen_from(served):
    (served.folder / FIRST).write_bytes(b"II*\0another")
    served.lookup.refresh()

    answer = served.get("N20240101THA00001")

    assert answer.status_code == 409
    assert str(served.folder) not in answer.text


def test_hostile_names_neither_break_it_nor_lead_outside(served):
    outside = [
        "link",
        "link.tif",
        "away/secret",
        "../secret.tif",
        str(served.folder.parent / "secret.tif"),
        "notes.txt",
    ]
    names = [
        *NAMES,
        *outside,
        "%2e%2e%2fsecret.tif",
        "..%c0%af..%c0%afsecret",
        "N2024*",
        "_",
        ".tif",
        "\u3000",
        "a" * 15_000,
    ]
    for name in names:
        answers = [served.get(name), served.client.post("/images", json={"filename": name})]
        assert {answer.status_code for answer in answers} <= {400, 404}, name
        assert not any("secret" in answer.json()["error"] and "II*" in answer.text for answer in answers)
    for raw in ("filename=%00", "filename=%ff%fe", "filename=a%0d%0aX-Injected:%201", "filename=%", "filename", "&&=&"):
        answer = served.client.get(f"/images?{raw}")
        assert answer.status_code in {400, 404}, raw
        assert "X-Injected" not in answer.headers
    assert served.client.get("/images/../../etc/passwd").status_code == 404
    assert served.client.get("//images?filename=x").status_code == 404


def test_a_folder_that_became_a_link_is_not_followed(served):
    folder = served.folder / "2024"
    folder.rename(served.folder.parent / "moved")
    folder.symlink_to(served.folder.parent / "moved")

    assert served.get("N20240101THA00001").status_code == 404


def test_an_answer_that_is_known_is_not_sent_again(served):
    first = served.get("N20240101THA00001")
    etag = first.headers["ETag"]

    assert hashlib.sha256(b"II*\0" + FIRST.encode()).hexdigest() in etag
    again = served.client.get(first.url, headers={"If-None-Match": f'"other", W/{etag}'})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
    assert served.client.get(first.url, headers={"If-None-Match": '"other"'}).status_code == 200


def test_new_files_are_found_after_a_refresh(served):
    (served.folder / "new.tif").write_bytes(b"II*\0new")
    assert served.get("new").status_code == 404

    served.lookup.refresh()

    assert served.get("new").status_code == 200


def test_a_root_that_is_gone_turns_health_red_and_is_no_missing_key(served):
    assert served.client.get("/healthz", headers={"X-API-Key": ""}).json() == {"status": "ok", "faults": []}

    served.folder.rename(served.folder.with_name("unmounted"))

    red = served.client.get("/healthz", headers={"X-API-Key": ""})
    assert (red.status_code, red.json()["faults"]) == (503, ["archive folder 1 could not be listed"])
    assert served.get("N20240101THA00001").status_code == 503
    served.lookup.refresh()
    assert served.get("N20240101THA00001").status_code == 503

    served.folder.with_name("unmounted").rename(served.folder)
    served.lookup.refresh()
    assert served.client.get("/healthz").status_code == 200
    assert served.get("N20240101THA00001").status_code == 200


def test_a_file_over_the_limit_is_not_sent(serving):
    with serving(max_bytes=10) as served:
        assert served.get("N20240101THA00001").status_code == 422


def test_copies_are_kept_only_where_that_is_configured(served):
    before = sorted(served.folder.rglob("*"))

    assert served.get("N20240101THA00001", save_to_folder="1").json()["saved_to_folder"] is False

    assert sorted(served.folder.rglob("*")) == before


def test_copies_have_a_name_of_our_own_and_replace_nothing(serving, tmp_path):
    saved = tmp_path / "saved"
    saved.mkdir()
    with serving(save=True) as served:
        name = "=1+1 $(x) 가.tif"
        (served.folder / name).write_bytes(b"II*\0odd")
        served.lookup.refresh()
        answers = [served.get(key, save_to_folder=" YES ").json() for key in ("N20240102THA00001", name)]
        assert served.get("N20240101THA00001", save_to_folder="no").json()["saved_to_folder"] is False
        first = {path.name: path.read_bytes() for path in saved.iterdir()}
        kept = saved / next(path for path in first if path.startswith("N20240102"))
        kept.write_bytes(b"somebody else's")
        again = served.get("N20240102THA00001", save_to_folder="1").json()

    assert [answer["saved_to_folder"] for answer in answers] == [True, True]
    assert sorted(first.values()) == [b"II*\0N20240102THA00100001_1.TIF", b"II*\0odd"]
    assert all(set(path) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") for path in first)
    assert again["saved_to_folder"] is False
    assert kept.read_bytes() == b"somebody else's"
