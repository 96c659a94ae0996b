"""A lead's report as files: a page of both languages, a workbook, JSON; and as part of a page of one language.

The page stands alone: no script, no link outside. What the desk shows is made from the JSON.
"""

import io
import json
import re
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape
from upath import UPath

from doc_assets.archive.ledger.json_codec import as_json, from_json
from doc_assets.errors import InputError
from doc_assets.reports.review_report.charts import share_bar
from doc_assets.reports.review_report.figures import ReviewReport
from doc_assets.reports.review_report.sections import Cell, Kind, Said, sections, shown, tables_of
from doc_assets.reports.review_report.wording import WORDS
from doc_assets.reports.wording import Text
from doc_assets.util.files import write_atomic
from doc_assets.util.visible import visible, visible_json

Language = Literal["ko", "en"]
BOTH: tuple[Language, ...] = get_args(Language)
PAGE, WORKBOOK, DATA = "review.html", "review.xlsx", "review.json"
FOLDER = "review"
"""Of the results' folder; it holds a folder per period."""
_NAME = re.compile(r"\d{4}-\d{2}(-\d{2})?", re.ASCII)
_MAX_CELL = 32_767
_FORMATS: dict[Kind, str] = {"count": "#,##0", "share": "0.0%", "number": "0.00", "fine": "0.000", "text": "@"}


def write_review_report(report: ReviewReport, results: Path) -> Path:
    """Writes the files of a report into ``review/<period>/`` of the results' folder; returns that folder.

    The JSON comes last: where it is, the others are.
    """
    folder = results / FOLDER / report.period
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(UPath(folder / PAGE), review_page(report).encode())
    write_atomic(UPath(folder / WORKBOOK), workbook(report))
    content = json.dumps(as_json(report), ensure_ascii=False, indent=1, allow_nan=False)
    write_atomic(UPath(folder / DATA), visible_json(content).encode())
    return folder


def is_period(name: str) -> bool:
    """Whether a folder's name is that of a day or month."""
    return _NAME.fullmatch(name) is not None


def written_reports(results: Path) -> list[str]:
    """Periods whose report was written, the newest first, a month before its days."""
    folder = results / FOLDER
    found = [path.parent.name for path in folder.glob(f"*/{DATA}") if is_period(path.parent.name)]
    return sorted(found, key=lambda name: (name[:7], len(name) == len("2026-11"), name), reverse=True)


def read_review_report(results: Path, period: str) -> ReviewReport:
    """A report that was written.

    Raises:
        InputError: if there is none of that period, or another version wrote it so that this one cannot read it.
    """
    if not is_period(period):
        raise InputError(f"{visible(period)!r} is no period; a day is 2026-11-27, a month 2026-11.")
    try:
        content = (results / FOLDER / period / DATA).read_bytes()
        return from_json(ReviewReport, json.loads(content))
    except FileNotFoundError as error:
        raise InputError(f"There is no report of {period}. Materialize review_report for it.") from error
    except ValueError as error:
        raise InputError(f"The report of {period} cannot be read. Materialize review_report for it again.") from error


def review_page(report: ReviewReport) -> str:
    """The report as a page that stands alone, in both languages."""
    return str(_templates().get_template("review.html").render(**_context(report, BOTH)))


def review_body(report: ReviewReport, language: Language) -> Markup:
    """The report as part of a page, in one language; every value is escaped."""
    return Markup(_templates().get_template("review_body.html").render(**_context(report, (language,))))


def workbook(report: ReviewReport) -> bytes:
    """The report's tables as an XLSX workbook, a sheet each; no cell is a formula or a link."""
    import xlsxwriter

    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"strings_to_formulas": False, "strings_to_urls": False}) as book:
        bold = book.add_format({"bold": True})
        formats = {kind: book.add_format({"num_format": pattern}) for kind, pattern in _FORMATS.items()}
        for section, table in tables_of(report):
            sheet = book.add_worksheet(section.key)
            sheet.set_column(0, len(table.columns) - 1, 24)
            sheet.write_string(0, 0, f"{_two(WORDS[section.key])} · {report.period}", bold)
            for column, (name, _) in enumerate(table.columns):
                sheet.write_string(2, column, _two(WORDS[name]), bold)
            for line, row in enumerate(table.rows, start=3):
                for column, (cell, (_, kind)) in enumerate(zip(row, table.columns, strict=True)):
                    _write(sheet, (line, column), cell, formats[kind])
    return content.getvalue()


def _write(sheet: Any, at: tuple[int, int], cell: Cell, style: Any) -> None:  # noqa: ANN401 - of xlsxwriter
    if isinstance(cell, Text):
        sheet.write_string(*at, _two(cell))
    elif isinstance(cell, str):
        sheet.write_string(*at, visible(cell)[:_MAX_CELL])
    elif cell is not None:
        sheet.write_number(*at, cell, style)


def _two(text: Text) -> str:
    return text.ko if text.ko == text.en else f"{text.ko} / {text.en}"


def _context(report: ReviewReport, languages: Sequence[Language]) -> dict[str, Any]:
    def said(text: Text | Said | str) -> Markup:
        """A text in every language that is asked for."""
        found = text.text if isinstance(text, Said) else text
        if isinstance(found, str):
            return escape(visible(found))
        ko, en = escape(visible(found.ko)), escape(visible(found.en))
        if len(languages) == 1:
            return ko if languages[0] == "ko" else en
        if ko == en:
            return ko
        return Markup('<span class="ko">{}</span><span class="en" lang="en">{}</span>').format(ko, en)

    made = report.made_at.astimezone(ZoneInfo(report.timezone))
    return {
        "report": report,
        "sections": sections(report),
        "said": said,
        "word": lambda name: said(WORDS[name]),
        "shown": lambda cell, kind: said(shown(cell, kind)),
        "share_bar": share_bar,
        "made": Said("made", {"period": report.period, "timezone": report.timezone, "made": _minute(made)}),
    }


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


@lru_cache(maxsize=1)
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("doc_assets.reports", "templates"),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
