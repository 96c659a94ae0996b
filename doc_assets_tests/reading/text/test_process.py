"""Engines that hang and crash, in real processes."""

import os

import numpy as np
import pytest

from doc_assets.datatypes import Page
from doc_assets.errors import UnreadableTextError
from doc_assets.reading.text.base import text_engines
from doc_assets.reading.text.finder import PageFinder
from doc_assets.reading.text.matching import WantedText
from doc_assets.reading.text.process import EngineProcesses
from doc_assets.reading.text.reading import PageTextReader, Zone

ENGINE = """
import os, signal, time
from doc_assets.reading.text.base import TextEngine, TextLine, text_engines

@text_engines.register("odd")
class OddEngine(TextEngine):
    engine_id = "odd-1"

    def read(self, lines):
        what = int(lines[0][0, 0])
        if what == 1:
            while True:
                pass
        if what == 2:
            time.sleep(3600)
        if what == 3:
            os.kill(os.getpid(), signal.SIGSEGV)
        if what == 4:
            raise RuntimeError("no")
        return [TextLine(f"{os.getpid()} {os.environ.get('SECRET')}", 0.9) for _ in lines]
"""


@pytest.fixture
def odd(tmp_path, monkeypatch):
    """An engine that another package registers, here and in every child; what it does says the first pixel."""
    (tmp_path / "sitecustomize.py").write_text(ENGINE, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("SECRET", "hunter2")
    text_engines.names()  # all are found before this one is added for a while
    monkeypatch.setattr(text_engines, "_found", dict(text_engines._found))
    exec(compile(ENGINE, "odd", "exec"), {})
    engine = EngineProcesses("odd", {}, timeout_s=0.3)
    yield engine
    engine.close()


def line(what):
    return np.full((68, 2000), what, np.uint8)


@pytest.mark.whole
@pytest.mark.parametrize(
    ("what", "message"),
    [(1, "longer than 0.3 s"), (2, "longer than 0.3 s"), (3, "signal 11"), (4, "exit code 1")],
    ids=["busy", "asleep", "crash", "error"],
)
def test_a_broken_engine_is_an_error_of_this_call_and_the_next_one_works(odd, what, message):
    with pytest.raises(UnreadableTextError, match=message):
        odd.read([line(what)])

    assert odd.read([line(0)])[0].confidence == 0.9


def test_a_process_serves_many_calls_and_knows_no_secret(odd):
    first, second = odd.read([line(0)])[0].text, odd.read([line(0), line(0)])[1].text

    assert first == second
    assert first.endswith(" None")


def test_processes_end_when_the_pool_is_closed(odd):
    pid = int(odd.read([line(0)])[0].text.split()[0])

    odd.close()

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_page_that_breaks_the_engine_is_looked_at_for_photos_and_counted(odd, monkeypatch):
    monkeypatch.setattr("doc_assets.reading.text.reading.lines.cut_line", lambda *_: line(3))
    finder = PageFinder(PageTextReader(odd), WantedText("가맹점"), (Zone("top", 0.5),))
    page = np.full((1000, 700, 3), 255, np.uint8)
    page[100:130:2, 100:400:3] = 0
    page[102:128, 100:400:12] = 0
    pages = finder.of_document("a", None)

    finding = pages.look(Page(0, page))

    assert "signal 11" in str(finding.error)
    assert not finding.found
    assert pages.may_show_photos(Page(0, page))
    assert pages.unread == 2
