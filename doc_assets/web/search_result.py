"""The page of a search: how far it is, then what was found of each file, in the shape of a case."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from doc_assets.archive.ledger.desk_searches import DeskSearch, GivenFile
from doc_assets.archive.ledger.results import FoundDocument, PhotoPair, ResultRecord
from doc_assets.archive.ledger.rows import Document
from doc_assets.datatypes import RgbImage
from doc_assets.photos.cutting import scaled_down
from doc_assets.reports.query_pictures import QueryPictures
from doc_assets.reports.wording import KINDS, reasons, said_of
from doc_assets.search.completeness import beyond_reading
from doc_assets.util.visible import visible
from doc_assets.web.desk import the_desk
from doc_assets.web.pairs import facts_of, known_of, percent, viewed
from doc_assets.web.pictures import picture
from doc_assets.web.search_runs import RunState
from doc_assets.web.searching import AWAY
from doc_assets.web.wording import WORDS, in_language, say

SEES_OTHERS = frozenset({"lead", "auditor"})
"""Roles that see searches of everybody."""
_PAIRS_SHOWN = 60
_NEAREST_SHOWN = 3
_SIDE = 1024
_Find = Callable[[QueryPictures, str], RgbImage | None]
"""Finds a picture of the file with this label among those that were kept."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """A photo of the searched file beside one of a found document; without a pair the files are identical."""

    found: FoundDocument
    pair: PhotoPair | None


@require_GET
def result(request: HttpRequest, number: int) -> HttpResponse:
    """A search: how far it is, then what was found, then why it failed."""
    desk, search = the_desk(), seen_search(request, number)
    found = desk.searches.state(search, desk.now())
    search = seen_search(request, number)
    files = desk.archive.ledger.desk_searches.files([number])[number]
    frame = {
        "search": search,
        "title": say("search_n", number=number),
        "files": [(visible(file.name), filesizeformat(file.size_bytes)) for file in files],
        "may_change": _may_change(request, search),
        "own": search.requested_by == person_of(request),
    }
    if not found.has_ended:
        return render(request, "desk/search_waits.html", {**frame, "says": state_says(found)})
    desk.archive.ledger.audit.add(
        person_of(request), "search.see", f"search {number}", desk.now(), {"run": search.run_id}
    )
    if found.kind == "failed":
        says, raw = _failure_says(found.failure or "")
        return render(request, "desk/search_failed.html", {**frame, "says": says, "raw": raw})
    return _shown(request, search, files, frame)


@require_GET
def query_photo(request: HttpRequest, number: int, position: int, photo: int) -> HttpResponse:
    """A photo of a searched file, if its pictures were kept."""
    return _kept_picture(request, number, position, lambda kept, label: kept.photo(label, photo))


@require_GET
def query_page(request: HttpRequest, number: int, position: int, page: int) -> HttpResponse:
    """A page of a searched file, from 1, if its pictures were kept."""

    def found(kept: QueryPictures, label: str) -> RgbImage | None:
        view = kept.page(label, page - 1)
        return view.pixels if view is not None else None

    return _kept_picture(request, number, position, found)


def person_of(request: HttpRequest) -> str:
    """Name of who asks."""
    return str(request.user.get_username())


def seen_search(request: HttpRequest, number: int) -> DeskSearch:
    """A search that this person may see.

    Raises:
        Http404: if there is none; that of somebody else is none for whoever may not see it.
    """
    search = the_desk().archive.ledger.desk_searches.get(number)
    if search is None or not (search.requested_by == person_of(request) or SEES_OTHERS & request.roles):
        raise Http404
    return search


def _may_change(request: HttpRequest, search: DeskSearch) -> bool:
    return search.requested_by == person_of(request) or "lead" in request.roles


def state_says(found: RunState) -> str:
    """How far a search is, in words."""
    if found.stage == AWAY:
        return say("search_away")
    if found.kind == "running" and found.stage:
        what, _, done = found.stage.partition(": ")
        name = f"stage_{what.replace(' ', '_')}"
        return f"{say(name)} {done}" if name in WORDS else say("search_running")
    return say(f"search_{found.kind}")


def _failure_says(failure: str) -> tuple[str, str]:
    """Why there is no result and what to do next, in words; and as the run said it."""
    code, _, raw = failure.partition(": ")
    name = f"failed_{code}"
    return say(name if name in WORDS else "failed_search"), visible(raw or failure)


def _shown(request: HttpRequest, search: DeskSearch, files: Sequence[GivenFile], frame: dict[str, Any]) -> HttpResponse:
    """The page of what was found for one of the files."""
    ledger = the_desk().archive.ledger
    results = {each.query_document: each for each in ledger.searches.results(str(search.run_id))}
    at = min(_number(request.GET.get("file")), max(0, len(files) - 1))
    file = files[at] if files else None
    shown = results.get(file.label) if file else None
    if file is None or shown is None:  # forgotten since
        return render(request, "desk/search_failed.html", {**frame, "says": say("files_forgotten"), "raw": ""})
    pairs = _pairs_of(shown)
    documents = ledger.documents.current_with_ids({each.found.document_id for each in pairs})
    place = min(_number(request.GET.get("pair")), max(0, len(pairs) - 1))
    kept = search.keeps and the_desk().searches.result_folder(search).is_dir()  # results leave by their age
    view = partial(_viewed, search, at, documents, kept=kept)
    chosen = pairs[place] if pairs else None
    other = documents.get(chosen.found.document_id) if chosen else None
    return render(
        request,
        "desk/search_result.html",
        {
            **frame,
            "document": visible(file.name),
            "file_at": at,
            "strip": [_strip_line(search, n, each, results.get(each.label), kept=kept) for n, each in enumerate(files)],
            "pairs": [_pair_line(each) for each in pairs],
            "at": place,
            "viewer": [view(each) for each in pairs],
            "facts": facts_of(_known_of(search, file, shown), known_of(other)) if chosen else [],
            "headline": _headline(shown, pairs),
            "faults": [*_faults(shown), *filter(None, [ledger.searches.get(str(search.run_id)).settings.incomplete])],
            "reasons": [in_language(each.text).replace(file.label, visible(file.name)) for each in reasons(shown)],
            "changes": _changes(chosen) if chosen else [],
            "pictures": say("pictures_kept" if kept else "pictures_gone" if search.keeps else "pictures_not_kept"),
        },
    )


def _pairs_of(shown: ResultRecord) -> list[_Pair]:
    """What is to be said of found documents, best first; of nothing alike the nearest photos."""
    said = [
        _Pair(found, pair)
        for found in shown.top_docs
        for pair in ((None,) if found.exact_duplicate else tuple(pair for pair in found.matches if pair.is_shown))
    ]
    if said:
        best: dict[tuple[str, int], _Pair] = {}  # of a picture and what is found on it, whichever fits better
        for each in sorted(said, key=lambda each: -_probability(each)):
            best.setdefault((each.found.document_id, each.pair.photo if each.pair else -1), each)
        return list(best.values())[:_PAIRS_SHOWN]
    return [_Pair(found, found.matches[0]) for found in shown.top_docs[:_NEAREST_SHOWN] if found.matches]


def _probability(each: _Pair) -> float:
    if each.pair is None:
        return 1.0
    return each.pair.similarity if each.pair.probability is None else each.pair.probability


def _viewed(search: DeskSearch, at: int, documents: dict[str, Document], each: _Pair, *, kept: bool) -> dict[str, Any]:
    """What the viewer needs of a pair; ``ownFile`` is the place of a file whose picture the browser may have itself."""
    pair = each.pair
    own_page = reverse("query_page", args=[search.number, at, pair.query_page if pair else 1]) if kept else None
    own = reverse("query_photo", args=[search.number, at, pair.query_photo]) if kept and pair else own_page
    is_all = pair is None or (pair.query_photo == 0 and tuple(pair.query_box[:2]) == (0, 0))
    other, other_photo = documents.get(each.found.document_id), pair.photo if pair else -1
    seen = viewed(pair, own, own_page, other, other_photo, is_whole_file=pair is None)
    return {**seen, "ownFile": at if is_all and not kept else None}


def _strip_line(
    search: DeskSearch, at: int, file: GivenFile, shown: ResultRecord | None, *, kept: bool
) -> dict[str, Any]:
    """A file at the left of the page."""
    pairs = _pairs_of(shown) if shown else []
    has_photo = kept and shown is not None and shown.n_photos > 0
    return {
        "at": at,
        "name": visible(file.name),
        "thumb": reverse("query_photo", args=[search.number, at, 0]) if has_photo else None,
        "says": _headline(shown, pairs) if shown else say("files_forgotten"),
        "found": any(each.pair is None or each.pair.matched for each in pairs),
    }


def _pair_line(each: _Pair) -> dict[str, Any]:
    kind = say("same_file")
    if each.pair is not None:
        kind = in_language(KINDS[each.pair.kind]) if each.pair.kind else say("merely_near")
    what = say("whole_file") if each.pair is None else say("photo_n", n=each.pair.query_photo + 1)
    return {
        "what": what,
        "document": visible(each.found.document),
        "kind": kind,
        "percent": percent(_probability(each)),
    }


def _headline(shown: ResultRecord, pairs: Sequence[_Pair]) -> str:
    """In one line, what came of a file."""
    if not shown.searched:
        return say("not_readable")
    if not shown.n_photos:
        return say("no_photo")
    same = {each.found.document_id for each in pairs if each.pair is None or each.pair.matched}
    if same:
        return say("found_in", n=len(same))
    return say("found_alike" if any(each.pair and each.pair.is_shown for each in pairs) else "found_nothing")


def _faults(shown: ResultRecord) -> list[str]:
    """What could not be read or compared, as the search says it."""
    return [visible(text) for text in (*([shown.error] if shown.error else []), *beyond_reading(shown))]


def _changes(each: _Pair) -> list[str]:
    if each.pair is None:
        return [say("same_file")]
    return [in_language(text) for text in said_of(each.pair)] if each.pair.kind else [say("merely_near")]


def _known_of(search: DeskSearch, file: GivenFile, shown: ResultRecord) -> dict[str, str]:
    """What is known of a searched file."""
    asked = timezone.localtime(search.asked_at)
    return {
        say("document"): visible(file.name),
        say("date"): say("searched_on", day=f"{asked:%Y-%m-%d %H:%M}"),
        say("file_size"): filesizeformat(file.size_bytes),
        say("n_photos"): str(shown.n_photos),
    }


def _kept_picture(request: HttpRequest, number: int, position: int, find: _Find) -> HttpResponse:
    """A picture of a searched file, at most 1024 px long."""
    search = seen_search(request, number)
    files = the_desk().archive.ledger.desk_searches.files([number])[number]
    if not search.keeps or position >= len(files):
        raise Http404
    kept = QueryPictures(the_desk().searches.result_folder(search))
    pixels = find(kept, files[position].label)
    if pixels is None:
        raise Http404
    response = picture(the_desk().redactor.redacted(scaled_down(pixels, _SIDE)[0]))
    response["Cache-Control"] = "private, no-store"
    return response


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() and len(text) < 6 else 0  # noqa: PLR2004 - no search has more
