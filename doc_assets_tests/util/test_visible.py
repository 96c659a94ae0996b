import io
import json
import logging
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doc_assets.cli.console import console
from doc_assets.ops.logs import JsonLines, TextLines
from doc_assets.reports.tables import harmless
from doc_assets.sources.names import display_name, document_id
from doc_assets.util.visible import is_hidden, visible, visible_json

HIDDEN = [
    *map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), *map(chr, range(0x202A, 0x202F)),
    *map(chr, range(0x2066, 0x206A)), "\u200b", "\u200e", "\u2028", "\u2029", "\ufeff", "\xad", "\u3164",
    "\U000e0041", "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("sign", HIDDEN)
def test_what_acts_on_a_screen_or_hides_is_written_as_its_code(sign):
    shown = visible(f"a{sign}b")

    assert shown.startswith("a\\")
    assert shown.isascii()
    assert visible(shown) == shown


@pytest.mark.parametrize("name", ["가맹점 보고서 (1).tif", "naïve – ﬁle ’x’.TIF", "日本語👍.tif", "a\\b", "=1+1"])
def test_letters_of_any_script_stay(name):
    assert visible(name) == name


@given(st.text(st.characters(), max_size=40))
def test_json_keeps_its_values_and_shows_nothing_hidden(text):
    document = visible_json(json.dumps({"name": text, text: 1}, ensure_ascii=False, indent=1))

    assert json.loads(document) == {"name": text, text: 1}
    assert not any(is_hidden(sign) for sign in document if sign != "\n")


@given(st.text(max_size=40))
def test_names_show_nothing_hidden(text):
    assert not any(map(is_hidden, display_name(text)))
    assert not any(map(is_hidden, document_id(f"{text}.tif")))


def test_the_console_runs_no_code_of_text_or_cells(monkeypatch):
    from rich.table import Table

    written = io.StringIO()
    monkeypatch.setattr(sys, "stdout", written)
    table = Table("query\x1b[31m")
    table.add_row("a\x1b]0;owned\x07\u202eb.tif", "\x9b31m")

    console().print(table)
    console().print("two\nlines \x1b[2J\u2066 :smile:")

    assert not any(is_hidden(sign) for sign in written.getvalue() if sign != "\n")
    assert "a\\x1b]0;owned\\x07\\u202eb.tif" in written.getvalue()
    assert "two\nlines \\x1b[2J\\u2066 :smile:" in written.getvalue()


@pytest.mark.parametrize("formatter", [JsonLines(), TextLines("%(message)s")])
def test_logs_show_nothing_hidden(formatter):
    record = logging.LogRecord("doc_assets", logging.INFO, "", 0, "took a\x1b[31m\u202e.tif", (), None)

    line = formatter.format(record)

    assert not any(map(is_hidden, line))
    assert "\\u202e" in line


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_starts_no_formula_and_hides_nothing(start):
    cell = str(harmless(f"{start}cmd\x1b\u202e"))

    assert cell.startswith("'")
    assert not any(is_hidden(sign) for sign in cell if sign not in "\n\t")
