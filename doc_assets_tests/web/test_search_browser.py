"""Search as a person does it: files chosen and pasted in a real browser, found by a real run on a real archive."""

import base64
import os
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager

import cv2
import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.photos.base import make_extractor
from doc_assets_tests.browser import PROGRAM as CHROMIUM
from doc_assets_tests.program import PROGRAM, outside_environment
from doc_assets_tests.web.test_browser import Seen

pytestmark = pytest.mark.slow

PASTE = """async (given) => {
  const bytes = Uint8Array.from(atob(given), (c) => c.charCodeAt(0));
  const all = new DataTransfer();
  all.items.add(new File([bytes], "image.png", {type: "image/png"}));
  document.dispatchEvent(new ClipboardEvent("paste", {clipboardData: all, bubbles: true, cancelable: true}));
}"""


@pytest.fixture(scope="module")
def home(ingested_home, django, tmp_path_factory):
    """A home with documents of the corpus and people."""
    home = tmp_path_factory.mktemp("searched") / "home"
    shutil.copytree(ingested_home, home, symlinks=True)
    shutil.copy(django, home / "accounts.sqlite")
    return home


@contextmanager
def serving(home, **settings):
    """The desk as a service; gives its process and address."""
    env = outside_environment() | {"DOC_ASSETS_HOME": str(home), "DOC_ASSETS_LOG_DIR": str(home.parent / "log")}
    server = subprocess.Popen(
        [PROGRAM, "serve", "--port", "0"],
        env=env | {"OMP_NUM_THREADS": "1"} | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield server, server.stdout.readline().split("/enter/")[0].removeprefix("The review desk: ")
    finally:
        if server.poll() is None:
            server.send_signal(signal.SIGTERM)
        told = server.communicate(timeout=60)
    assert server.returncode == -signal.SIGKILL or told == ("", "")


@contextmanager
def signed_in(address, name="viewer"):
    """A browser of this person, in which nothing may go wrong."""
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed (extra dev)")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        seen = Seen(browser.new_page(), address)
        seen.sign_in(name)
        yield seen
        assert seen.wrong == []


@pytest.fixture(scope="module")
def photos(corpus):
    """A document of the archive, its first page with photos, and the largest of these, cropped."""
    finder = make_extractor("layout", {})
    for path in sorted((corpus / "archive").glob("*.tif")):
        with Image.open(path) as document:
            for number in range(document.n_frames):
                document.seek(number)
                page = np.array(document.convert("RGB"))
                if areas := finder.find(page):
                    box = max((area.box for area in areas), key=lambda box: box.width * box.height)
                    dx, dy = box.width // 10, box.height // 12
                    return path, page, page[box.top + dy : box.bottom - dy, box.left + dx : box.right - 2 * dx]
    raise AssertionError("no document of the corpus shows a photo")


def on_a_desk(page):
    """A page photographed at an angle on a dark desk."""
    page = cv2.resize(page, None, fx=1500 / max(page.shape), fy=1500 / max(page.shape), interpolation=cv2.INTER_AREA)
    height, width = page.shape[:2]
    size = int(width * 1.3), int(height * 1.25)
    corners = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
    seen = corners + np.float32([[170, 150], [195, 190], [215, 175], [150, 200]])
    turned = cv2.getPerspectiveTransform(corners, seen)
    desk = np.random.default_rng(4).normal(80, 12, (size[1], size[0], 3)).clip(0, 255).astype(np.uint8)
    mask = cv2.warpPerspective(np.full((height, width), 255, np.uint8), turned, size)
    return np.where(mask[..., None] > 0, cv2.warpPerspective(page, turned, size), desk)


def result_of(seen, seconds=180):
    """Words of the page of a search once it has ended."""
    seen.page.wait_for_selector(".facts, .warning", timeout=seconds * 1000)
    return seen.page.inner_text("main")


def uploads(home):
    return [path for path in (home / "uploads").glob("*/*")]


def test_files_that_are_chosen_and_pasted_find_their_document(home, photos, tmp_path):
    path, page, crop = photos
    Image.fromarray(on_a_desk(page)).save(tmp_path / "phone.jpg", quality=88)
    Image.fromarray(crop).save(tmp_path / "crop.jpg", quality=75)
    ok, png = cv2.imencode(".png", cv2.cvtColor(crop, cv2.COLOR_RGB2BGR))
    assert ok
    with serving(home) as (_, address), signed_in(address) as seen:
        seen.go("/search")
        seen.page.set_input_files("#files", [str(tmp_path / "phone.jpg"), str(tmp_path / "crop.jpg"), str(path)])
        seen.page.evaluate(PASTE, base64.b64encode(png.tobytes()).decode())
        assert seen.page.locator("#chosen li").count() == 4
        seen.page.keyboard.press("Enter")  # the button has the focus
        seen.page.wait_for_url("**/searches/*")
        first = result_of(seen)
        assert f"{path.name}: same photograph" in first
        for file in (1, 2, 3):
            seen.page.goto(f"{seen.page.url.split('?')[0]}?file={file}")
            words = result_of(seen)
            assert path.name in seen.page.inner_text("nav.pairs a >> nth=0"), (file, words)
        seen.page.wait_for_selector("#viewer[data-ready]")  # the pasted picture, kept in this tab alone
        own = seen.page.evaluate("""JSON.parse(document.getElementById("pairs").textContent)[0].own.slice(0, 22)""")
        assert own == "data:image/jpeg;base64"
        assert seen.page.locator("[data-mode=overlay]").is_enabled()
        assert uploads(home) == []
        results = [each for each in (home / "results").rglob("query_photos")]
        assert results == []
    with Ledger.open(f"sqlite:///{home / 'ledger.sqlite'}") as ledger:
        (search,) = ledger.desk_searches.page(1)
        assert ledger.searches.get(search.run_id).requested_by == "viewer"
        labels = [each.query_document for each in ledger.searches.results(search.run_id)]
        assert labels == [file.label for file in ledger.desk_searches.files([search.number])[search.number]]


def test_a_busy_store_is_said_and_kept_files_are_there_the_next_time(home, photos, tmp_path):
    _, _, crop = photos
    Image.fromarray(crop).save(tmp_path / "crop.png")
    with serving(home, DOC_ASSETS_STORE_LOCK_TIMEOUT_S="1") as (_, address), signed_in(address) as seen:
        with FileLock(home / "qdrant" / ".lock"):
            seen.go("/search")
            seen.page.set_input_files("#files", str(tmp_path / "crop.png"))
            seen.page.click("button.primary")
            assert "Another run holds the photo index" in result_of(seen)
        assert uploads(home) == []
        seen.go("/search")
        seen.page.set_input_files("#files", str(tmp_path / "crop.png"))
        seen.page.check("input[value='1']")
        seen.page.click("button.primary")
        assert "The same photograph stands in" in result_of(seen)
        seen.page.wait_for_selector("#viewer[data-ready]")
        assert seen.page.locator(".strip img").evaluate("(image) => image.naturalWidth") > 0
        assert len(list((home / "results").glob("*/files/*"))) == 1


def test_a_killed_desk_leaves_no_file_and_says_what_became_of_the_search(home, photos, tmp_path):
    _, _, crop = photos
    Image.fromarray(crop).save(tmp_path / "crop.png")
    waits = FileLock(home / "qdrant" / ".lock")  # what the run waits for
    with waits, serving(home) as (server, address), signed_in(address) as seen:
        seen.go("/search")
        seen.page.set_input_files("#files", str(tmp_path / "crop.png"))
        seen.page.click("button.primary")
        seen.page.wait_for_selector("#waits")
        until = time.monotonic() + 60
        while "Searching" not in seen.page.inner_text("#waits") and time.monotonic() < until:
            time.sleep(0.1)
        number = seen.page.url.rsplit("/", 1)[1]
        assert len(uploads(home)) == 1
        seen.page.goto("about:blank")  # a page that asks in vain is not the subject
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
    with serving(home) as (_, address), signed_in(address) as seen:
        seen.go(f"/searches/{number}")
        assert "The desk was started anew" in result_of(seen)
        assert uploads(home) == []
