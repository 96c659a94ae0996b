"""A case as a page for paper: facts, pairs, verdicts, digests; faces always pixelated, no script."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.utils import timezone
from django.views.decorators.http import require_GET

from doc_assets.archive.ledger.cases import CasePair
from doc_assets.archive.ledger.rows import Document
from doc_assets.reports.wording import reasons
from doc_assets.util.visible import visible
from doc_assets.web.case import changes_said, verdict_lines
from doc_assets.web.case_file import CaseFile, case_file, provenance
from doc_assets.web.desk import the_desk
from doc_assets.web.pairs import facts_of, known_of, percent
from doc_assets.web.queue import photo_address
from doc_assets.web.wording import finding_name, in_language, say


@require_GET
def print_case(request: HttpRequest, case_id: int) -> HttpResponse:
    """A case for the printer."""
    desk = the_desk()
    file = case_file(request, case_id)
    person = request.user.get_username()
    desk.archive.ledger.audit.add(person, "case.print", f"case {case_id}", desk.now(), {"pairs": len(file.pairs)})
    pairs = [said_of_pair(file, pair) for pair in file.pairs]
    for shown, pair in zip(pairs, file.pairs, strict=True):
        shown["own"] = photo_address(file.case.row_id, pair.photo, 1024)
        shown["other"] = photo_address(pair.other_row, pair.other_photo, 1024) if file.other(pair) else None
    context = {**said_of_case(file, person), "pairs": pairs, "redacted": True, "style": static("desk/paper.css")}
    return render(request, "desk/paper.html", context)


def said_of_case(file: CaseFile, person: str) -> dict[str, Any]:
    """What the printed page and the package say of a case, in words."""
    case = file.case
    found = [in_language(each.text) for each in reasons(file.result) if each.counts] if file.result else []
    return {
        "case": case,
        "document": visible(case.document),
        "state": say(case.state),
        "reasons": found,
        "verdicts": verdict_lines(file.said),
        "is_blind": file.is_blind,
        "comments": [(each, visible(each.text)) for each in file.comments],
        "digests": [_digests(each) for each in (file.document, *_others(file))],
        "provenance": _provenance(provenance(file)),
        "person": person,
        "now": timezone.localtime(the_desk().now()),
    }


def said_of_pair(file: CaseFile, pair: CasePair) -> dict[str, Any]:
    """What they say of a pair."""
    return {
        "title": say("whole_file") if pair.photo < 0 else say("photo_n", n=pair.photo + 1),
        "finding": finding_name(pair.finding),
        "percent": percent(pair.probability),
        "changes": changes_said(pair),
        "facts": facts_of(known_of(file.document), known_of(file.other(pair))),
        "key": pair.pair_key,
        "verdicts": verdict_lines([each for each in file.said if each.pair_key == pair.pair_key]),
    }


def _others(file: CaseFile) -> list[Document]:
    return [each for row, each in sorted(file.others.items()) if row != file.case.row_id]


def _digests(document: Document) -> dict[str, Any]:
    return {
        "name": visible(document.file_name),
        "sha256": document.sha256 or "-",
        "size": document.size_bytes,
        "drop": document.drop_key,
    }


def _provenance(known: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and values, one level deep."""
    rows = []
    for part in known.values():
        for name, value in part.items():
            rows.append((name, ", ".join(map(str, value.values())) if isinstance(value, dict) else str(value)))
    return rows
