"""Pages of documents, merchants and photo groups: what they show, what they hide, and one decision for many pairs."""

import pytest
from sqlalchemy import update

from doc_assets.archive.ledger.groups import StoredLink
from doc_assets.archive.ledger.schema import DocumentRow
from doc_assets_tests.web import test_pages
from doc_assets_tests.web.conftest import text_of

hostile = test_pages.hostile


@pytest.fixture
def numbers(desk):
    """Numbers of the home's documents by their names without suffix."""
    return {each.document_id: each.id for each in desk.ledger.documents.with_row_ids(range(1, 13))}


def _group_of(desk, row_id, photo=0):
    return desk.ledger.groups.of_rows([row_id])[row_id, photo]


def _case_of(desk, row_id):
    return desk.ledger.cases.of_document(row_id).case_id


# --- a document


def test_a_document_shows_its_photos_arrivals_finds_cases_and_screenings(desk, numbers):
    page = text_of(desk.client("reviewer").get(f"/documents/{numbers['new0']}"))

    assert "new0.tif" in page
    assert "re-use" in page
    assert "3 documents, 3 merchants" in page  # old0, new0, new4
    assert "Case of this document · To judge" in page
    assert "old0.tif" in page
    assert "Screening of drop" in page
    assert "Flagged" in page
    assert desk.actions() == [("reviewer", "document.see", f"document {numbers['new0']}")]


def test_an_earlier_document_names_those_that_found_it_and_their_cases(desk, numbers):
    client = desk.client("reviewer")
    page = client.get(f"/documents/{numbers['old0']}").content.decode()

    assert "Documents that found this one" in page
    assert "There is no case of this document" in page
    for name in ("new0", "new4"):
        assert f'/cases/{_case_of(desk, numbers[name])}"' in page
        assert f"/compare?own={numbers['old0']}&amp;other={numbers[name]}" in page


def test_verdicts_on_a_photo_stand_on_both_documents(desk, numbers):
    desk.judge(desk.client("reviewer"), _case_of(desk, numbers["new0"]), "same", "renewal")

    for name in ("new0", "old0"):
        page = text_of(desk.client("viewer").get(f"/documents/{numbers[name]}"))
        assert "reviewer (first): Same · allowed (Same merchant, renewal)" in page, name


def test_a_verdict_that_waits_for_a_second_review_is_hidden_from_whoever_may_make_it(make_desk):
    desk = make_desk(review_second_share=0)
    numbers = {each.document_id: each.id for each in desk.ledger.documents.with_row_ids(range(1, 13))}
    desk.judge(desk.client("reviewer"), _case_of(desk, numbers["new0"]), "same", "fraud")

    for row in (numbers["new0"], numbers["old0"]):
        for name in ("second", "lead"):
            page = text_of(desk.client(name).get(f"/documents/{row}"))
            assert "Verdicts on pairs that wait for a second review are hidden" in page
            assert "reviewer (first)" not in page
        for name in ("reviewer", "viewer", "auditor"):
            assert "reviewer (first): Same · fraud" in text_of(desk.client(name).get(f"/documents/{row}"))


def test_a_document_that_was_replaced_leads_to_the_one_in_the_archive(desk, numbers):
    row = numbers["old3"]
    with desk.ledger.database.writing() as connection:
        connection.execute(
            update(DocumentRow).where(DocumentRow.id == row).values(document_id="old2", is_current=False)
        )

    page = desk.client("viewer").get(f"/documents/{row}").content.decode()

    assert "A newer arrival is in the archive" in page
    assert f'href="/documents/{numbers["old2"]}"' in page


@pytest.mark.parametrize(
    ("ui", "is_link"), [("", False), ("http://dagster.example/", True), ("javascript:alert(1)//", False)]
)
def test_partitions_are_links_where_the_address_of_the_ui_is_known(make_desk, ui, is_link):
    desk = make_desk(ui_url=ui)
    drop = desk.ledger.documents.with_row_ids([5])[0].drop_key

    page = desk.client("viewer").get("/documents/5").content.decode()

    wanted = f"http://dagster.example/assets/review_cases?view=partitions&amp;partition={drop}"
    assert (wanted in page) is is_link
    assert drop in page
    assert "javascript:" not in page


@pytest.mark.parametrize("path", ["/documents/0", "/documents/999999", f"/documents/{'9' * 40}", "/documents/x"])
def test_a_document_that_never_arrived_is_not_found(desk, path):
    assert desk.client("viewer").get(path).status_code == 404


# --- a merchant


def test_a_merchant_is_found_by_its_number_or_by_a_document(desk, numbers):
    client = desk.client("viewer")
    for asked in ("m-new-0", "new0.tif", "new0", str(numbers["new0"])):
        response = client.post("/merchants/find", {"merchant": asked})
        assert response.headers["Location"] == f"/merchants?document={numbers['new0']}", asked

    assert client.post("/merchants/find", {"merchant": "nobody"}).headers["Location"] == "/merchants"
    assert "no such merchant" in text_of(client.get("/merchants"))


def test_a_merchant_shows_its_documents_and_who_has_the_same_photographs(desk, numbers):
    page = text_of(desk.client("viewer").get(f"/merchants?document={numbers['old0']}"))

    assert "Merchant m-old-0" in page
    assert "old0.tif" in page
    assert "m-new-0" in page
    assert "m-new-4" in page
    assert "m-new-1" not in page
    assert desk.actions() == [("viewer", "merchant.see", f"merchant of document {numbers['old0']}")]


def test_documents_of_a_merchant_come_page_by_page_and_none_twice(desk, numbers):
    with desk.ledger.database.writing() as connection:
        connection.execute(update(DocumentRow).where(DocumentRow.is_current).values(merchant_id="one"))
    seen, before = [], None
    while page := desk.ledger.traces.of_merchant("one", 5, before):
        seen += [each.id for each in page]
        before = page[-1].document_date, page[-1].id

    assert sorted(seen) == sorted(numbers.values())
    dates = [each.document_date for row in seen for each in desk.ledger.documents.with_row_ids([row])]
    assert dates == sorted(dates, reverse=True)
    assert desk.ledger.traces.ties("one", 5) == []


def test_a_document_whose_merchant_is_unknown_says_so(desk, numbers):
    with desk.ledger.database.writing() as connection:
        connection.execute(update(DocumentRow).values(merchant_id=None))

    assert "merchant of this document is not known" in text_of(desk.client("viewer").get("/merchants?document=1"))
    assert text_of(desk.client("viewer").get("/merchants")).count("Merchant") > 1


# --- a photo group


def test_a_group_shows_its_documents_who_was_first_and_the_open_pairs(desk, numbers):
    group = _group_of(desk, numbers["old0"])
    page = desk.client("reviewer").get(f"/groups/{group}").content.decode()

    assert "This shot stands in 3 documents of 3 merchants" in page
    places = [page.index(f'href="/documents/{numbers[name]}"') for name in ("old0", "new0", "new4")]
    assert places == sorted(places)
    assert page.count("First use") == 1
    assert page.count('name="pair"') == 2
    assert page.count("<circle") == 3


def test_one_decision_is_shown_first_and_files_a_verdict_and_a_row_of_the_audit_for_each_pair(desk, numbers):
    group, client = _group_of(desk, numbers["old0"]), desk.client("reviewer")
    cases = [_case_of(desk, numbers[name]) for name in ("new0", "new4")]
    form = {
        "pair": [f"{case}:{desk.keys(case)[0]}" for case in cases],
        "answer": "same:fraud",
        "comment": "one shop front",
    }

    page = text_of(client.post(f"/groups/{group}/preview", form))
    assert "Decide once: Same · fraud" in page
    assert page.count("Will be filed") == 2
    assert [desk.said(case) for case in cases] == [[], []]

    response = client.post(f"/groups/{group}/decide", form)
    assert response.headers["Location"] == f"/groups/{group}"
    assert "Same · fraud: 2 pairs of 2 cases" in text_of(client.get(f"/groups/{group}"))
    for case in cases:
        assert desk.said(case) == [("reviewer", "first", "same", "fraud")]
        assert desk.ledger.cases.get(case).state == "decided"
        assert [each.text for each in desk.ledger.cases.comments(case)] == ["one shop front"]
        (verdict,) = desk.ledger.cases.verdicts(desk.keys(case))
        assert verdict.snapshot["probability"] > 0.9
    decided = [row for row in desk.actions() if row[1] == "case.decide"]
    assert decided == [("reviewer", "case.decide", f"case {case}") for case in cases]
    assert "No open case" in text_of(client.get(f"/groups/{group}"))

    client.post(f"/cases/{cases[0]}/undo")
    assert [desk.ledger.cases.get(case).state for case in cases] == ["open", "decided"]


def test_what_was_not_ticked_or_is_held_by_another_stays_as_it_was(desk, numbers):
    group = _group_of(desk, numbers["old0"])
    cases = [_case_of(desk, numbers[name]) for name in ("new0", "new4")]
    keys = [f"{case}:{desk.keys(case)[0]}" for case in cases]
    client = desk.client("reviewer")
    client.post(f"/groups/{group}/decide", {"pair": keys[:1], "answer": "different:"})
    assert [len(desk.said(case)) for case in cases] == [1, 0]

    desk.ledger.cases.take("second", cases[1], desk.desk.now(), desk.desk.lease)
    assert "Held by another person" in text_of(
        client.post(f"/groups/{group}/preview", {"pair": keys[1:], "answer": "different:"})
    )
    client.post(f"/groups/{group}/decide", {"pair": keys[1:], "answer": "different:"})
    assert desk.said(cases[1]) == []
    assert "1 cases could not be judged now" in text_of(client.get(f"/groups/{group}"))


def test_nobody_judges_twice_by_a_group(make_desk):
    desk = make_desk(review_second_share=0)
    numbers = {each.document_id: each.id for each in desk.ledger.documents.with_row_ids(range(1, 13))}
    group, case = _group_of(desk, numbers["old0"]), _case_of(desk, numbers["new0"])
    form = {"pair": [f"{case}:{desk.keys(case)[0]}"], "answer": "same:fraud"}
    client = desk.client("reviewer")
    client.post(f"/groups/{group}/decide", form)
    assert desk.ledger.cases.get(case).state == "second"

    assert "somebody else" in text_of(client.post(f"/groups/{group}/preview", form))
    client.post(f"/groups/{group}/decide", form)
    assert len(desk.said(case)) == 1
    desk.client("second").post(f"/groups/{group}/decide", form)
    assert desk.said(case)[1:] == [("second", "second", "same", "fraud")]
    assert desk.ledger.cases.get(case).state == "decided"


@pytest.mark.parametrize("answer", ["", "same:", "sure:", "different:fraud", "same:because", "\0"])
def test_what_is_no_answer_is_refused_for_a_group_too(desk, numbers, answer):
    group, case = _group_of(desk, numbers["old0"]), _case_of(desk, numbers["new0"])
    form = {"pair": [f"{case}:{desk.keys(case)[0]}"], "answer": answer}

    for what in ("preview", "decide"):
        assert desk.client("reviewer").post(f"/groups/{group}/{what}", form).status_code == 400
    assert desk.said(case) == []


@pytest.mark.parametrize("pair", [[], ["x"], ["1:"], ["999999:" + "0" * 64], ["\0"]])
def test_pairs_that_are_not_of_the_group_are_not_judged(desk, numbers, pair):
    group = _group_of(desk, numbers["old0"])
    stranger = _case_of(desk, numbers["new1"])
    ticked = [*pair, f"{stranger}:{desk.keys(stranger)[0]}"]
    response = desk.client("reviewer").post(f"/groups/{group}/decide", {"pair": ticked, "answer": "different:"})

    assert response.headers["Location"] == f"/groups/{group}"
    assert desk.said(stranger) == []


def test_another_reason_wants_a_note_for_a_group_too(desk, numbers):
    group, case = _group_of(desk, numbers["old0"]), _case_of(desk, numbers["new0"])
    form = {"pair": [f"{case}:{desk.keys(case)[0]}"], "answer": "same:other", "comment": " "}

    desk.client("reviewer").post(f"/groups/{group}/decide", form)

    assert desk.said(case) == []


def test_a_group_comes_page_by_page_and_no_photo_twice(desk, numbers):
    group = _group_of(desk, numbers["old0"])
    seen, after = [], None
    while page := desk.ledger.traces.group_photos(group, 2, after):
        seen += [(each.row_id, each.photo) for each in page]
        after = page[-1].document_date, page[-1].row_id, page[-1].photo

    assert seen == [(numbers[name], 0) for name in ("old0", "new0", "new4")]


@pytest.mark.parametrize("query", ["after=x", "after=2024-01-01,1", f"after=2024-01-01,{'9' * 40},0", "after=%00"])
def test_a_place_that_is_none_shows_the_first_page(desk, numbers, query):
    group = _group_of(desk, numbers["old0"])
    assert "First use" in text_of(desk.client("viewer").get(f"/groups/{group}?{query}"))
    assert desk.client("viewer").get(f"/merchants?document=1&{query.replace('after', 'before')}").status_code == 200


@pytest.mark.parametrize("path", ["/groups/0", "/groups/999999", f"/groups/{'9' * 40}"])
def test_a_group_that_is_not_there_is_not_found(desk, path):
    assert desk.client("viewer").get(path).status_code == 404


def test_the_case_leads_to_documents_merchant_group_and_comparison(desk, numbers):
    page = desk.client("viewer").get(f"/cases/{_case_of(desk, numbers['new0'])}").content.decode()

    for address in (
        f"/documents/{numbers['new0']}",
        f"/documents/{numbers['old0']}",
        f"/merchants?document={numbers['new0']}",
        f"/groups/{_group_of(desk, numbers['new0'])}",
        f"/compare?own={numbers['new0']}&amp;other={numbers['old0']}",
    ):
        assert f'href="{address}"' in page, address


@pytest.mark.whole
def test_hostile_names_are_harmless_on_documents_merchants_groups_and_comparisons(hostile):
    desk, names, cases = hostile
    rows = [case.row_id for case in cases]
    with desk.ledger.database.writing() as connection:  # in the archive, and all of one photograph
        connection.execute(update(DocumentRow).where(DocumentRow.id.in_(rows)).values(is_current=True, n_photos=0))
    whole = (0.0, 0.0, 1.0, 1.0)
    links = [StoredLink((row, 0), (rows[0], 0), 0.9, whole, whole, None) for row in rows[1:]]
    desk.ledger.groups.replace(rows, links, 0.5)
    client = desk.client("lead")
    group = _group_of(desk, rows[0])
    pages = [f"/groups/{group}"]
    pages += [path for row in rows for path in (f"/documents/{row}", f"/merchants?document={row}")]
    pages += [f"/compare?own={row}&other={rows[0]}" for row in rows]
    for path in pages:
        response = client.get(path)
        assert response.status_code == 200, path
        test_pages._is_harmless(response.content.decode())
    for name in names:
        assert client.post("/merchants/find", {"merchant": name}).status_code == 302
        assert client.post("/compare/find", {"own": name, "other": name}).status_code == 302
        assert name not in client.post("/compare/find", {"own": name, "other": name}).headers["Location"]
