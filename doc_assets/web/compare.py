"""Any two documents beside each other: their photo pairs, and why the one was, or was not, flagged for the other."""

import logging
from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from doc_assets.archive.ledger.cases import CasePair
from doc_assets.archive.ledger.results import PhotoPair
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.ledger.searches import search_id_of
from doc_assets.errors import SetupError
from doc_assets.pipeline.comparing import Comparison
from doc_assets.reports.wording import KINDS, said_of
from doc_assets.search.standing import Screened, Standing, StandingCode, standing_of
from doc_assets.util.visible import visible
from doc_assets.web.desk import the_desk
from doc_assets.web.pairs import facts_of, known_of, percent, viewed_pair
from doc_assets.web.queue import with_query
from doc_assets.web.subjects import Named, dagster_partition, document_or_404, number_of, row_of
from doc_assets.web.wording import in_language, say

_log = logging.getLogger(__name__)
_UNKNOWN: frozenset[StandingCode] = frozenset({"not_screened", "not_searched", "not_compared", "left_out", "not_found"})
"""Where no screening says anything of the photos of both: they are compared now."""
_SHOWN = 40


@require_GET
def compare(request: HttpRequest) -> HttpResponse:
    """Two documents by their numbers; a form to name them if one is missing."""
    desk = the_desk()
    numbers = [number_of(request.GET.get(name, "")) for name in ("own", "other")]
    documents = [document_or_404(number) if number is not None else None for number in numbers]
    own, other = documents
    context: dict[str, Any] = {"own": own and Named.of(own), "other": other and Named.of(other)}
    if own is None or other is None:
        return render(request, "desk/compare.html", context)
    desk.archive.ledger.audit.add(
        request.user.get_username(), "documents.compare", f"documents {own.id} and {other.id}", desk.now()
    )
    known = standing_of(own, other, _screened(own), _screened(other))
    now, says_now = _compared_now(own, other) if known.code in _UNKNOWN else (None, "")
    pairs = (known.pairs if now is None else now.pairs)[:_SHOWN]
    whole = [CasePair("", -1, other.id, -1, "first_use", 1.0, None)] if known.is_identical else []
    shown = [*whole, *(_as_case_pair(pair, other) for pair in pairs)]
    at = min(number_of(request.GET.get("pair", "")) or 0, max(0, len(shown) - 1))
    return render(
        request,
        "desk/compare.html",
        {
            **context,
            "document": visible(own.file_name),
            "says": _says(own, other, known),
            "now": says_now,
            "faults": [visible(fault) for fault in now.faults] if now is not None else [],
            "partition": dagster_partition(own.drop_key),
            "pairs": [_line(pair) for pair in shown],
            "at": at,
            "viewer": [viewed_pair(own.id, pair, {other.id: other}) for pair in shown],
            "keys": [],
            "ahead": [],
            "pair_query": f"own={own.id}&other={other.id}",
            "facts": facts_of(known_of(own), known_of(other)),
            "reasons": _reasons(shown[at]) if shown else [],
        },
    )


@require_POST
def compare_find(request: HttpRequest) -> HttpResponse:
    """To the comparison of two documents that a form names by number, id or file name; names go into no address."""
    found = {name: row_of(request.POST.get(name, "")) for name in ("own", "other")}
    for name, row in found.items():
        if row is None and request.POST.get(name, "").strip():
            messages.warning(request, say(f"no_{name}_document"))
    known = {name: row for name, row in found.items() if row is not None}
    return redirect(with_query(reverse("compare"), known))


def _screened(document: Document) -> Screened | None:
    """The result of a document's own drop; None if the drop was not screened."""
    searches, search_id = the_desk().archive.ledger.searches, search_id_of(document.drop_key)
    results = searches.of_documents([search_id], [document.document_id]).get(search_id, [])
    return Screened(results[0], searches.get(search_id).settings) if results else None


def _compared_now(own: Document, other: Document) -> tuple[Comparison | None, str]:
    """Both compared by what is stored of them, and what it came to in one sentence; None if it cannot be done."""
    comparer = the_desk().comparer
    if comparer is None:
        return None, say("now_not_indexed")
    try:
        now = comparer.compare(own, other)
    except SetupError:
        _log.exception("documents %d and %d could not be compared", own.id, other.id)
        return None, say("now_failed")
    return now, _says_now(now)


def _says(own: Document, other: Document, known: Standing) -> str:
    """Why it was, or was not, flagged, in one sentence."""
    values = {
        "probability": percent(known.probability or 0.0),
        "threshold": percent(known.threshold or 0.0),
        "risk": "-" if known.risk is None else f"{known.risk:.2f}",
        "flag": f"{known.threshold or 0.0:.2f}",
        "own_date": own.document_date,
        "other_date": other.document_date,
        "detail": visible(known.detail) or "-",
    }
    return say(f"why_{known.code}", **values)


def _says_now(now: Comparison) -> str:
    """What comparing them now came to, in one sentence."""
    values = {"n": len(now.pairs), "of": now.n_possible}
    if not now.pairs:
        return say("now_nothing", **values)
    best = now.pairs[0]
    kind = in_language(KINDS[best.kind]) if best.kind is not None else say("no_match")
    return say("now_compared", probability=percent(best.probability or 0.0), kind=kind, **values)


def _as_case_pair(pair: PhotoPair, other: Document) -> CasePair:
    return CasePair("", pair.query_photo, other.id, pair.photo, "first_use", pair.probability or 0.0, pair)


def _line(pair: CasePair) -> dict[str, Any]:
    """A pair in one line: which photos, what they are to each other, how probably one photograph."""
    if pair.pair is None:
        return {"what": say("whole_file"), "finding": say("same_file"), "percent": "100%", "said": None}
    kind = pair.pair.kind
    return {
        "what": f"{say('photo_n', n=pair.photo + 1)} – {say('photo_n', n=pair.other_photo + 1)}",
        "finding": in_language(KINDS[kind]) if kind is not None else say("no_match"),
        "percent": percent(pair.probability),
        "said": None,
    }


def _reasons(pair: CasePair) -> Sequence[str]:
    """What is to be said of a pair: what was done, or why they are alike; and what was measured."""
    facts = pair.pair
    if facts is None:
        return [say("same_file")]
    told = [in_language(text) for text in said_of(facts)] if facts.is_shown else []
    if facts.inliers is not None:
        told.append(say("n_inliers", n=facts.inliers))
    if facts.overlap is not None:
        told.append(say("agreement_of", share=f"{facts.overlap.agreement:.2f}"))
    told.append(say("similarity_of", value=f"{facts.similarity:.2f}"))
    return told
