"""The queue as a table: the cases that a filter finds, in the order of the queue."""

from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from doc_assets.archive.ledger.cases import Case, CasePair
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.ledger.verdicts import Stage, Verdict, in_force
from doc_assets.reports.export_rows import CASE_COLUMNS
from doc_assets.reports.tables import Row, fitting_workbook, write_rows
from doc_assets.util.visible import visible
from doc_assets.web.case import said_in_words
from doc_assets.web.case_file import is_blind_to, without_columns
from doc_assets.web.desk import the_desk
from doc_assets.web.downloads import Download, spooled
from doc_assets.web.queue import MOST_EXPORTED, filter_of, priority_parts, with_query
from doc_assets.web.wording import finding_name, say

_AT_ONCE = 500
_ORDER: tuple[Stage, ...] = ("first", "second", "lead")
_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": "application/json",
}


@require_GET
def export(request: HttpRequest, kind: str) -> HttpResponse:
    """The cases of a filter as a file; back to the queue if there are too many of them."""
    desk = the_desk()
    wanted, asked = filter_of(request)
    cases = desk.archive.ledger.cases.page(wanted, MOST_EXPORTED + 1)
    if len(cases) > MOST_EXPORTED:
        messages.warning(request, say("export_too_many", most=f"{MOST_EXPORTED:,}"))
        return redirect(with_query(reverse("queue"), asked))
    left_out = desk.runtime.settings.remove_columns_from_results
    columns = [name for name in CASE_COLUMNS if name not in left_out]
    with spooled() as file:
        _write(file, kind, list(case_rows(request, cases)), columns)
        detail = {"rows": len(cases), "kind": kind, "filters": sorted(asked)}
        desk.archive.ledger.audit.add(request.user.get_username(), "queue.export", "queue", desk.now(), detail)
        return Download(file, f"cases-{timezone.localdate().isoformat()}.{kind}", _TYPES[kind])


def _write(file: IO[bytes], kind: str, rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Writes rows by codes for programs, in words for people."""
    if kind == "json":
        write_rows(rows, [*columns, "fields"], kind, file)
        return
    names = list(dict.fromkeys(name for row in rows for name in row["fields"]))
    titles = _titles(columns, names)
    shown = (_in_words(row, titles) for row in rows)
    write_rows(fitting_workbook(shown) if kind == "xlsx" else shown, list(titles.values()), kind, file)


def case_rows(request: HttpRequest, cases: Sequence[Case]) -> Iterator[Row]:
    """A row of ``CASE_COLUMNS`` and ``fields`` for each case, as codes; empty is what this person may not know yet."""
    ledger, left_out = the_desk().archive.ledger, the_desk().runtime.settings.remove_columns_from_results
    for start in range(0, len(cases), _AT_ONCE):
        part = cases[start : start + _AT_ONCE]
        pairs = ledger.cases.pairs([case.case_id for case in part])
        best = {case_id: found[0] for case_id, found in pairs.items() if found}
        rows = {case.row_id for case in part} | {pair.other_row for pair in best.values() if pair.other_row}
        documents = {each.id: without_columns(each, left_out) for each in ledger.documents.with_row_ids(rows)}
        said: dict[str, list[Verdict]] = {}
        for verdict in ledger.cases.verdicts({pair.pair_key for pair in best.values()}):
            said.setdefault(verdict.pair_key, []).append(verdict)
        for case in part:
            pair = best.get(case.case_id)
            spoken = said.get(pair.pair_key, []) if pair is not None else []
            known = [] if is_blind_to(request, case, spoken) else spoken
            yield _row(case, pair, documents, known)


def _row(case: Case, pair: CasePair | None, documents: Mapping[int, Document], said: Sequence[Verdict]) -> Row:
    own = documents[case.row_id]
    row: dict[str, Any] = {
        "case": case.case_id,
        "state": case.state,
        "priority": round(sum(value for _, value in priority_parts(case)), 1),
        "query_document": case.document,
        "merchant_id": own.merchant_id,
        "drop": case.drop_key,
        "fields": own.fields,
    }
    if pair is not None:
        other = documents.get(pair.other_row or -1)
        row |= {
            "query_photo": pair.photo + 1 if pair.photo >= 0 else None,
            "finding": pair.finding,
            "probability": round(pair.probability, 4),
            "document": other.file_name if other is not None else None,
            "photo": pair.other_photo + 1 if pair.other_photo >= 0 else None,
        }
    holding = max(in_force(said), key=lambda each: _ORDER.index(each.stage), default=None)
    if holding is not None and holding.answer is not None:
        row |= {
            "verdict": holding.answer.use or holding.answer.photograph,
            "answer": holding.answer,
            "decided_by": holding.person,
            "decided_at": holding.at,
        }
    return row


def _titles(columns: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """Titles by column: ours in the person's language, a key table's as they are, with a mark where they clash."""
    titles = {name: say(f"column_{name}") for name in columns}
    for name in names:
        title = visible(name)
        while title in titles.values():
            title = f"key: {title}"
        titles[f"fields.{name}"] = title
    return titles


def _in_words(row: Row, titles: Mapping[str, str]) -> Row:
    """A row as people read it, by title."""
    said = dict(row) | {f"fields.{name}": value for name, value in row["fields"].items()}
    said["state"] = say(row["state"])
    if "finding" in row:
        said["finding"] = finding_name(row["finding"])
        said["query_photo"] = row["query_photo"] or say("whole_file")
        said["photo"] = row["photo"] or say("whole_file")
    if "answer" in row:
        said["verdict"] = said_in_words(row["answer"])
        said["decided_at"] = f"{timezone.localtime(row['decided_at']):%Y-%m-%d %H:%M}"
    return {title: said.get(name) for name, title in titles.items()}
