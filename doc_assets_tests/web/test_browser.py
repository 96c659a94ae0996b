"""The desk as its reviewers use it: in a real browser, by keys, on the running service."""

import itertools
import os
import re
import shutil
import signal
import subprocess
from contextlib import contextmanager

import numpy as np
import pytest
from sqlalchemy import select

from doc_assets.archive.ledger.case_queue import CaseFilter
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.schema import VerdictRow
from doc_assets.reports.case_package import verify_package
from doc_assets_tests.browser import PROGRAM as CHROMIUM
from doc_assets_tests.program import PROGRAM, outside_environment
from doc_assets_tests.web.conftest import EVERY, PASSWORD
from doc_assets_tests.web.home import copy_of

pytestmark = pytest.mark.slow

HANGUL_Y = """document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "ㅛ", code: "KeyY", bubbles: true}))"""
REPORT = """document.addEventListener("securitypolicyviolation", (e) => console.error("CSP " + e.violatedDirective))"""


@pytest.fixture
def home(desk_home, django, tmp_path):
    """A copy of the home with its people."""
    home = copy_of(desk_home, tmp_path / "home")
    shutil.copy(django, home / "accounts.sqlite")
    return home


@pytest.fixture
def address(home, tmp_path):
    """Where the service answers; one person is enough for a verdict."""
    settings = {
        "DOC_ASSETS_HOME": str(home),
        "DOC_ASSETS_LOG_DIR": str(tmp_path / "log"),
        "DOC_ASSETS_REVIEW_SECOND_FOR_FRAUD": "false",
        "DOC_ASSETS_REVIEW_SECOND_SHARE": "0",
        "DOC_ASSETS_REVIEW_LEASE_MINUTES": "0.2",
    }
    server = subprocess.Popen(
        [PROGRAM, "serve", "--port", "0"],
        env=outside_environment() | settings | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = server.stdout.readline()
        yield line.split("/enter/")[0].removeprefix("The review desk: ")
    finally:
        os.kill(server.pid, signal.SIGTERM)
        told = server.communicate(timeout=60)
    assert told == ("", "")  # neither page that failed nor one that was not found is told on the terminal


class Seen:
    """A page in a browser, and what went wrong in it.

    Attributes:
        page: Playwright's.
        wrong: errors of the console, refused loads, addresses of other hosts.
        asked: paths that were asked for.
    """

    def __init__(self, page, address):
        self.page, self.address, self.wrong, self.asked = page, address, [], []
        page.add_init_script(REPORT)
        page.on("console", lambda line: line.type in {"error", "warning"} and self.wrong.append(line.text))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("response", lambda answer: answer.status >= 400 and self.wrong.append(f"{answer.status} {answer.url}"))
        page.on("request", self._asked)

    def _asked(self, request):
        if not request.url.startswith((f"{self.address}/", "data:")):
            self.wrong.append(request.url)
        self.asked.append(request.url.removeprefix(self.address))

    def sign_in(self, name="reviewer"):
        """As a person types it."""
        self.page.goto(f"{self.address}/accounts/login/")
        self.page.fill("[name=login]", name)
        self.page.fill("[name=password]", PASSWORD)
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def go(self, path):
        """To a page of the desk."""
        self.page.goto(self.address + path)
        self.ready()

    def ready(self):
        """Waits for the photos of a case."""
        if re.search(r"/cases/\d+(\?|$)", self.page.url):
            self.page.wait_for_selector("#viewer[data-ready]")

    def press(self, *keys):
        """Keys, the last of which leads to another page."""
        for key in keys[:-1]:
            self.page.keyboard.press(key)
        with self.page.expect_navigation():
            self.page.evaluate(HANGUL_Y) if keys[-1] == "ㅛ" else self.page.keyboard.press(keys[-1])
        self.ready()

    @property
    def case_id(self):
        """Of the case that is shown."""
        return int(self.page.url.split("/cases/")[1].split("?")[0])


@pytest.fixture
def browse(address):
    """Opens browsers; nothing may have gone wrong in them at the end."""
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed (extra dev)")
    if CHROMIUM is None:
        pytest.skip("no browser is installed (Debian: chromium)")

    @contextmanager
    def opened(language="en", size=(1440, 900), scheme="light", name="reviewer"):
        context = browser.new_context(viewport=dict(zip(("width", "height"), size, strict=True)), color_scheme=scheme)
        context.add_cookies([{"name": "django_language", "value": language, "url": address}])
        seen = Seen(context.new_page(), address)
        seen.sign_in(name)
        yield seen
        context.close()
        assert seen.wrong == []

    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        browser.close()


@contextmanager
def _ledger(home):
    with Ledger.open(f"sqlite:///{home / 'ledger.sqlite'}") as ledger:
        yield ledger


def _every_verdict(ledger):
    return ledger.database.rows(select(VerdictRow.__table__))


def _said(ledger, case_id):
    keys = [pair.pair_key for pair in ledger.cases.pairs([case_id])[case_id]]
    rows = ledger.cases.verdicts(keys)
    return [(row.answer.photograph, row.answer.use) if row.answer else "undone" for row in rows]


ANSWERS = {
    ("ㅛ",): ("same", "fraud"),
    ("y",): ("same", "fraud"),
    ("n",): ("different", None),
    ("o",): ("other_shot", None),
    ("t",): ("shared_thing", None),
    ("u",): ("cannot_tell", None),
    ("a", "1"): ("same", "renewal"),
    ("a", "4"): ("same", "own_copy"),
}


def test_cases_are_decided_by_keys_and_the_ledger_holds_exactly_that(browse, home):
    with _ledger(home) as ledger:
        order = [case.case_id for case in ledger.cases.page(CaseFilter(states=EVERY), 100)]
        pairs = {case_id: len(ledger.cases.pairs([case_id])[case_id]) for case_id in order}
    said = {case_id: [] for case_id in order}
    keys = itertools.cycle(ANSWERS)

    def judge(seen):
        case_id, chosen = seen.case_id, next(keys)
        n = 1
        if case_id == order[0]:
            assert seen.page.is_checked("[name=all]")  # an identical file
            n = pairs[case_id]
        seen.press(*chosen)
        said[case_id] += [ANSWERS[chosen]] * n

    with browse("ko") as seen:
        assert seen.page.inner_text("h1") == "심사 목록"
        seen.press("j")
        while seen.case_id != order[5]:
            judge(seen)
        for case_id in (order[4], order[3], order[2]):
            seen.press("z")
            assert seen.case_id == case_id
            said[case_id].append("undone")
        judge(seen)

    with browse("en") as seen:
        seen.press("j")
        while "/cases/" in seen.page.url:
            judge(seen)
        assert "no case for you" in seen.page.inner_text(".messages")

    with _ledger(home) as ledger:
        assert {case_id: _said(ledger, case_id) for case_id in order} == said
        assert {case.state for case in ledger.cases.page(CaseFilter(states=EVERY), 100)} == {"decided"}
        assert {row.person for row in _every_verdict(ledger)} == {"reviewer"}
        assert ledger.audit.verify().broken is None
    assert sum(map(len, said.values())) > 12


def _quad(session, element):
    """Corners of an element on the screen, (4, 2), as the browser drew them: clockwise from the upper left one."""
    found = session.send("Runtime.evaluate", {"expression": f"document.querySelector({element!r})"})
    quads = session.send("DOM.getContentQuads", {"objectId": found["result"]["objectId"]})["quads"]
    return np.array(quads[0]).reshape(4, 2)


def test_a_photo_lies_over_the_other_where_the_ledger_says(browse, home):
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)
    with _ledger(home) as ledger:
        cases = ledger.cases.page(CaseFilter(states=EVERY), 100)
        pairs = ledger.cases.pairs([case.case_id for case in cases])
    looked_at = 0
    with browse() as seen:
        session = seen.page.context.new_cdp_session(seen.page)
        for case_id, at in [(number, at) for number, known in pairs.items() for at in range(len(known))]:
            facts = pairs[case_id][at].pair
            seen.go(f"/cases/{case_id}?pair={at}")
            seen.page.keyboard.press("2")
            if facts is not None and facts.transform is None:
                assert seen.page.is_disabled("[data-mode=overlay]")
                assert "No alignment is known" in seen.page.inner_text(".hint")
                continue
            transform = np.eye(3) if facts is None else np.array(facts.transform)
            shares = corners * [-1, 1] + [1, 0] if facts is not None and facts.mirrored else corners
            mapped = np.column_stack([shares, np.ones(4)]) @ transform.T
            frame = _quad(session, ".pane:not([hidden]) .world > img")
            expected = frame[0] + mapped[:, :2] / mapped[:, 2:] * (frame[2] - frame[0])
            off = np.linalg.norm(_quad(session, ".over img") - expected, axis=1)
            assert off.max() < 0.01 * np.linalg.norm(frame[2] - frame[0]), (case_id, at)
            looked_at += 1
    assert looked_at == 10


def test_a_photo_is_shown_as_the_other_one_stands(browse, home):
    with _ledger(home) as ledger:
        cases = ledger.cases.page(CaseFilter(states=EVERY), 100)
        pairs = ledger.cases.pairs([case.case_id for case in cases])
    with browse() as seen:
        session = seen.page.context.new_cdp_session(seen.page)
        for case_id, (pair, *_) in pairs.items():
            if pair.pair is None:
                continue
            seen.go(f"/cases/{case_id}?pair=0")
            frame = _quad(session, ".pane .world")
            clockwise = [frame[0], frame[1], frame[2], frame[3]]
            if pair.pair.mirrored:
                clockwise = [clockwise[at] for at in (1, 0, 3, 2)]
            for _ in range(pair.pair.quarter_turns):  # counter-clockwise: the upper left corner goes to the lower left
                at = {0: 3, 1: 0, 2: 1, 3: 2}
                clockwise = [frame[at[_index(frame, corner)]] for corner in clockwise]
            assert np.abs(_quad(session, ".pane .world > img") - clockwise).max() < 1

            seen.page.keyboard.press("v")
            frame = _quad(session, ".pane .world")
            assert np.abs(_quad(session, ".pane .world > img") - frame).max() < 1
            seen.page.keyboard.press("v")


def _index(frame, corner):
    return int(np.linalg.norm(frame - corner, axis=1).argmin())


@pytest.mark.parametrize("size", [(1440, 900), (1000, 700)])
@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_case_fits_its_window_whatever_is_said_of_it(browse, home, size, language):
    with _ledger(home) as ledger:
        case_id = ledger.cases.page(CaseFilter(), 1)[0].case_id
        for number in range(30):
            ledger.cases.comment(
                case_id, "kim", f"{number} " + "a long note " * 20, ledger.cases.get(case_id).opened_at
            )
    with browse(language, size, "dark") as seen:
        seen.go(f"/cases/{case_id}")
        box = {name: seen.page.locator(name).bounding_box() for name in ("footer.verdict", ".stage", "body")}
        footer, stage = box["footer.verdict"], box[".stage"]
        assert footer["y"] + footer["height"] <= size[1] + 0.5
        assert footer["height"] < 110  # two rows
        assert stage["height"] > 0.5 * size[1]
        assert seen.page.evaluate("document.documentElement.scrollHeight") <= size[1]
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= size[0]
        for button in seen.page.locator("footer button:visible, .modes button").all():
            right = button.bounding_box()
            assert right["x"] + right["width"] <= size[0]


def test_nothing_moves_by_itself_and_the_next_pictures_are_there_before_they_are_wanted(browse, home):
    with _ledger(home) as ledger:
        first, second = ledger.cases.page(CaseFilter(), 2)
        pair = ledger.cases.pairs([second.case_id])[second.case_id][0]
    with browse() as seen:
        seen.go(f"/cases/{first.case_id}")
        seen.page.wait_for_load_state("networkidle")
        ahead = {
            f"/photos/{second.row_id}/{pair.photo}/1024.jpg",
            f"/photos/{pair.other_row}/{pair.other_photo}/1024.jpg",
        }
        assert ahead <= set(seen.asked)

        over = seen.page.locator(".over")
        seen.page.keyboard.press("3")
        shown = []
        for _ in range(3):
            shown.append(over.evaluate("(each) => getComputedStyle(each).opacity"))
            assert seen.page.evaluate("document.getAnimations().length") == 0
            seen.page.keyboard.press("Space")
        assert shown == ["1", "0", "1"]


def test_a_case_is_kept_for_whoever_is_at_work_and_left_to_others_by_a_page_that_lies_open(browse, home):
    with browse() as seen:
        seen.press("j")
        with seen.page.expect_response("**/hold") as answer:
            pass
        assert answer.value.status == 204
        with _ledger(home) as ledger:
            until = ledger.cases.get(seen.case_id).held_until
        seen.asked.clear()
        seen.page.wait_for_timeout(6000)
        assert seen.asked == []

        seen.page.mouse.move(300, 300)
        with seen.page.expect_response("**/hold"):
            seen.page.mouse.move(310, 300)
        with _ledger(home) as ledger:
            assert ledger.cases.get(seen.case_id).held_until > until


def test_zoom_and_mode_stay_for_the_next_case_and_a_note_for_its_own(browse, home):
    with browse() as seen:
        seen.press("j")
        first = seen.case_id
        seen.page.keyboard.press("4")
        seen.page.keyboard.press("c")
        seen.page.keyboard.type("half a note: yes")
        seen.page.keyboard.press("Escape")
        seen.press("j")
        assert seen.case_id != first
        assert seen.page.get_attribute("[data-mode=curtain]", "aria-pressed") == "true"
        assert seen.page.input_value("#note [name=comment]") == ""

        seen.go(f"/cases/{first}")
        assert seen.page.input_value("#note [name=comment]") == "half a note: yes"
        seen.page.keyboard.press("c")
        seen.press("Enter")
        assert seen.page.input_value("#note [name=comment]") == ""
    with _ledger(home) as ledger:
        assert [each.text for each in ledger.cases.comments(first)] == ["half a note: yes"]
        assert _every_verdict(ledger) == []


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("ko", ("심사 건", "일치 확률", "해시와 버전", "얼굴은 가렸습니다")),
        ("en", ("Case", "Probability", "Digests and versions", "Faces in the pictures are pixelated")),
    ],
)
def test_a_case_on_paper_is_a_pdf_with_its_texts_and_pictures(browse, home, tmp_path, language, words):
    pdfium = pytest.importorskip("pypdfium2")
    with _ledger(home) as ledger:
        case = next(case for case in ledger.cases.page(CaseFilter(states=EVERY), 100) if case.n_pairs > 1)
        keys = [pair.pair_key for pair in ledger.cases.pairs([case.case_id])[case.case_id]]
    with browse(language) as seen:
        seen.page.goto(f"{seen.address}/cases/{case.case_id}/print")
        seen.page.wait_for_load_state("networkidle")
        assert seen.page.evaluate("[...document.images].every((each) => each.naturalWidth > 0)")
        assert seen.page.evaluate("document.scripts.length") == 0
        seen.page.pdf(path=tmp_path / "case.pdf", prefer_css_page_size=True)

    with pdfium.PdfDocument(tmp_path / "case.pdf") as paper:
        assert len(paper) >= 2
        assert [round(side) for side in paper[0].get_size()] == [595, 842]  # A4, in points
        text = "".join(page.get_textpage().get_text_range() for page in paper)
        pictures = sum(each.type == pdfium.raw.FPDF_PAGEOBJ_IMAGE for page in paper for each in page.get_objects())
    assert pictures >= 2 * len(keys)
    together = "".join(text.split())
    for word in (*words, case.document, *keys):
        assert "".join(word.split()) in together, word


def test_faces_are_shown_and_hidden_by_a_key_and_files_are_saved(browse, home, tmp_path):
    with browse() as seen:
        seen.press("j")
        case_id = seen.case_id
        assert f"/cases/{case_id}/photos/" not in " ".join(seen.asked)
        seen.press("x")
        own = seen.page.locator(".pane img").first.get_attribute("src")
        assert own.startswith(f"/cases/{case_id}/")
        seen.press("x")
        assert not seen.page.locator(".pane img").first.get_attribute("src").startswith("/cases/")

        with seen.page.expect_download() as saved:
            seen.page.click(f"a[href='/cases/{case_id}/package.zip']")
        saved.value.save_as(tmp_path / saved.value.suggested_filename)
        assert verify_package(tmp_path / f"case-{case_id}.zip").is_redacted
        seen.go("/")
        seen.page.focus("nav.exports a")
        with seen.page.expect_download() as saved:
            seen.page.keyboard.press("Enter")
        saved.value.save_as(tmp_path / "cases.csv")
        assert (tmp_path / "cases.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    with _ledger(home) as ledger:
        told = [entry.action for entry in reversed(ledger.audit.page(100))]
    assert [each for each in told if each in {"case.faces", "case.package", "queue.export"}] == [
        "case.faces", "case.faces", "case.package", "queue.export",
    ]  # fmt: skip
