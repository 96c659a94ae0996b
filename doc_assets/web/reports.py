"""The lead's reports: which there are, one of them, and its files."""

from dataclasses import dataclass

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import mark_safe
from django.utils.translation import get_language
from django.views.decorators.http import require_GET

from doc_assets.errors import InputError
from doc_assets.reports.review_report.figures import ReviewReport
from doc_assets.reports.review_report.pages import (
    DATA,
    FOLDER,
    PAGE,
    WORKBOOK,
    is_period,
    read_review_report,
    review_body,
    written_reports,
)
from doc_assets.web.desk import the_desk

_PAGE = 40
FILES = {
    WORKBOOK: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    DATA: "application/json",
    PAGE: "text/html; charset=utf-8",
}
"""What may be taken away, with its content type."""


@dataclass(frozen=True, slots=True)
class Line:
    """A report in the list; ``report`` is None if this version cannot read it."""

    period: str
    report: ReviewReport | None

    @property
    def judged(self) -> int:
        """Pairs that were judged in its period."""
        return sum(each.n for each in self.report.answers) if self.report else 0


@require_GET
def reports(request: HttpRequest) -> HttpResponse:
    """The reports that were written, the newest first."""
    periods = written_reports(the_desk().runtime.settings.results_dir)
    before = request.GET.get("before", "")
    if is_period(before):
        periods = periods[periods.index(before) + 1 :] if before in periods else []
    shown, more = periods[:_PAGE], periods[_PAGE:]
    lines = [Line(period, _read(period)) for period in shown]
    return render(request, "desk/reports.html", {"lines": lines, "more": shown[-1] if more else None})


@require_GET
def report(request: HttpRequest, period: str) -> HttpResponse:
    """A report, in the language of the page."""
    found = _read(period)
    if found is None:
        raise Http404
    _note(request, "report.see", period)
    is_english = (get_language() or "ko").startswith("en")
    body = mark_safe(review_body(found, "en" if is_english else "ko"))  # its template escapes every value
    return render(request, "desk/report.html", {"period": period, "body": body, "files": list(FILES)})


@require_GET
def report_file(request: HttpRequest, period: str, file: str) -> HttpResponse:
    """A file of a report, to be kept elsewhere; it is never shown in the desk itself."""
    if not is_period(period) or file not in FILES:
        raise Http404
    path = the_desk().runtime.settings.results_dir / FOLDER / period / file
    if not path.is_file():
        raise Http404
    _note(request, "report.export", period, file)
    name = f"review_{period}{path.suffix}"
    response = HttpResponse(path.read_bytes(), content_type=FILES[file])  # a few kilobytes
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _read(period: str) -> ReviewReport | None:
    try:
        return read_review_report(the_desk().runtime.settings.results_dir, period)
    except InputError:
        return None


def _note(request: HttpRequest, action: str, period: str, file: str | None = None) -> None:
    desk = the_desk()
    detail = {"file": file} if file else None
    desk.archive.ledger.audit.add(request.user.get_username(), action, f"report {period}", desk.now(), detail)
