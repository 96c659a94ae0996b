"""A document: everything that is known of it, whichever of its arrivals is asked for."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from doc_assets.archive.document_history import photos_of
from doc_assets.archive.ledger.results import ResultRecord
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.ledger.searches import drop_of, search_id_of
from doc_assets.archive.ledger.traces import LinkLine, NamingCase, ResultLine
from doc_assets.util.visible import visible
from doc_assets.web.case import verdict_lines
from doc_assets.web.desk import the_desk
from doc_assets.web.pairs import percent
from doc_assets.web.queue import photo_address
from doc_assets.web.subjects import (
    Named,
    dagster_partition,
    dagster_runs,
    dagster_search,
    document_or_404,
    hidden_pairs,
    named,
)
from doc_assets.web.wording import date_source_name, finding_name, say

_ARRIVALS = 20
_LINES = 30
_PAGES = 50


@require_GET
def document(request: HttpRequest, row_id: int) -> HttpResponse:
    """A document by the number of any of its arrivals."""
    desk, asked = the_desk(), document_or_404(row_id)
    ledger = desk.archive.ledger
    arrivals = ledger.documents.arrivals([asked.document_id])
    current = next((each for each in arrivals if each.is_current), None)
    shown = current or asked
    ledger.audit.add(request.user.get_username(), "document.see", f"document {row_id}", desk.now())
    found, found_by = ledger.traces.found(shown.id, _LINES), ledger.traces.found_by(shown.id, _LINES)
    naming = ledger.traces.cases_naming(shown.id, _LINES)
    others = named({each.other_row for each in (*found, *found_by)} | {each.row_id for each in naming})
    own_case = ledger.cases.of_document(shown.id)
    return render(
        request,
        "desk/document.html",
        {
            "asked": asked,
            "shown": shown,
            "name": visible(asked.file_name),
            "merchant": visible(shown.merchant_id) if shown.merchant_id else "",
            "date_says": f"{shown.document_date} ({date_source_name(shown.date_source)})",
            "fields": [(visible(name), visible(value)) for name, value in shown.fields.items()],
            "newer": current if current is not None and current.id != asked.id else None,
            "arrivals": [_arrival(each) for each in reversed(arrivals[-_ARRIVALS:])],
            "n_arrivals": len(arrivals),
            "photos": _photos(current) if current is not None else [],
            "pages": range(1, min(shown.n_pages or 0, _PAGES) + 1) if current is not None else (),
            "texts": [
                (
                    say("page_n", n=each.page_index + 1),
                    visible(each.text, lines=True),
                    percent(min(each.confidence, 1.0)),
                )
                for each in ledger.traces.texts(shown.sha256 or "", _LINES)
            ],
            "results": [_result_line(each) for each in ledger.traces.results(shown.document_id, _LINES)],
            "found": _links(found, others),
            "found_by": _links(found_by, others),
            "own_case": own_case,
            "own_state": say(own_case.state) if own_case else "",
            "naming": _naming(naming, others),
            **_verdicts(request, [(own_case.case_id, own_case.state)] if own_case else [], naming),
        },
    )


def _arrival(each: Document) -> dict[str, Any]:
    return {
        "document": each,
        "name": visible(each.file_name),
        "state": say(f"arrival_{each.state}"),
        "reason": visible(each.reason or ""),
        "partition": dagster_partition(each.drop_key),
        "runs": dagster_runs(each.drop_key),
    }


def _photos(document: Document) -> list[dict[str, Any]]:
    """The photos of a current document, each with what its screening found of it and the group that it is in."""
    ledger = the_desk().archive.ledger
    result = _screening(document)
    kinds = {each.photo: each for each in result.findings} if result else {}
    groups = ledger.groups.of_rows([document.id])
    sizes = ledger.traces.groups(set(groups.values()))
    shown = []
    for photo in photos_of(the_desk().archive, document):
        finding, group = kinds.get(photo.photo), sizes.get(groups.get((document.id, photo.photo), -1))
        shown.append(
            {
                "name": photo_name(photo.photo),
                "page_name": say("page_n", n=photo.page),
                "thumb": photo_address(document.id, photo.photo),
                "large": photo_address(document.id, photo.photo, 1024),
                "finding": finding_name(finding.kind) if finding else "",
                "counts": bool(finding and finding.counts),
                "group": group,
                "group_says": in_all(group.n_documents, group.n_merchants) if group else "",
            }
        )
    return shown


def in_all(documents: int, merchants: int) -> str:
    """How many documents and merchants show a photograph."""
    return say("in_all", documents=documents, merchants=merchants)


def _screening(document: Document) -> ResultRecord | None:
    search_id = search_id_of(document.drop_key)
    results = the_desk().archive.ledger.searches.of_documents([search_id], [document.document_id])
    return next(iter(results.get(search_id, [])), None)


def _result_line(line: ResultLine) -> dict[str, Any]:
    drop = drop_of(line.search_id)
    return {
        "line": line,
        "what": say("screening_of", drop=drop) if drop is not None else say("search_run"),
        "link": dagster_search(line.search_id),
        "risk": "-" if line.risk_score is None else f"{line.risk_score:.2f}",
    }


def _links(lines: Sequence[LinkLine], others: Mapping[int, Named]) -> list[dict[str, Any]]:
    return [
        {
            "own": photo_name(line.photo),
            "other": others[line.other_row],
            "other_photo": photo_name(line.other_photo),
            "percent": percent(line.probability),
            "is_form": line.is_form,
        }
        for line in lines
        if line.other_row in others
    ]


def _naming(cases: Sequence[NamingCase], others: Mapping[int, Named]) -> list[dict[str, Any]]:
    return [
        {
            "case_id": each.case_id,
            "state": say(each.state),
            "document": others[each.row_id],
            "finding": finding_name(each.finding),
            "photos": f"{photo_name(each.photo)} = {photo_name(each.other_photo)}",
        }
        for each in cases
        if each.row_id in others
    ]


def photo_name(photo: int) -> str:
    """A photo by its place, from 0; the file as a whole for less."""
    return say("whole_file") if photo < 0 else say("photo_n", n=photo + 1)


def _verdicts(request: HttpRequest, own: Sequence[tuple[int, Any]], naming: Sequence[NamingCase]) -> dict[str, Any]:
    """What was said of this document's photos, but for what this person must not see before a second review."""
    cases = the_desk().archive.ledger.cases
    pairs = cases.pairs([number for number, _ in own])
    keys = {pair.pair_key for known in pairs.values() for pair in known} | {each.pair_key for each in naming}
    hidden = hidden_pairs(request, [*own, *((each.case_id, each.state) for each in naming)])
    said = cases.verdicts(keys - hidden)
    return {"verdicts": verdict_lines(said), "some_hidden": bool(keys & hidden)}
