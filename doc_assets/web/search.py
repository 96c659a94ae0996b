"""Search by any picture: files in, a run started; earlier searches, repeated and deleted."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template.defaultfilters import filesizeformat
from django.views.decorators.http import require_GET, require_POST

from doc_assets.archive.ledger.desk_searches import DeskSearch
from doc_assets.util.visible import visible
from doc_assets.web.desk import the_desk
from doc_assets.web.search_result import SEES_OTHERS, person_of, seen_search, state_says
from doc_assets.web.uploads import Reception, Refused, Uploads
from doc_assets.web.wording import say

_SEARCHES = frozenset({"viewer", "reviewer", "lead"})
_PAGE = 50
_LATEST = 5
_MOST_DIGITS = 15


@require_GET
def search(request: HttpRequest) -> HttpResponse:
    """Where files are dropped, chosen or pasted."""
    return _form(request)


@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """Starts a search for the files that came with the request."""
    keeps = request.POST.get("keep") == "1"  # files arrive while the form is read
    desk, reception = the_desk(), request.reception
    for each in _refusals(reception.refused, desk.searches.uploads):
        messages.warning(request, each)
    if not reception.files:
        if not reception.refused:
            messages.warning(request, say("no_files"))
        is_large = any(each.why == "too_large" for each in reception.refused)
        return _form(request, 413 if is_large else 400)
    return _started(request, reception, keeps=keeps)


@require_POST
def again(request: HttpRequest, number: int) -> HttpResponse:
    """Searches once more for the kept files of a search: the archive has grown since."""
    search, searches = seen_search(request, number), the_desk().searches
    reception = Reception(request, searches.uploads)
    try:
        searches.again(search, reception)
        return _started(request, reception, keeps=True)
    except FileNotFoundError:
        messages.warning(request, say("files_gone"))
        return redirect("search")
    finally:
        reception.discard()


@require_POST
def delete(request: HttpRequest, number: int) -> HttpResponse:
    """Forgets a search that has ended: result, pictures, files."""
    desk, search = the_desk(), seen_search(request, number)
    if search.ended_at is None:
        messages.warning(request, say("search_not_ended"))
        return redirect("search_result", number)
    desk.searches.remove(search)
    detail = {"run": search.run_id, "of": search.requested_by}
    desk.archive.ledger.audit.add(person_of(request), "search.delete", f"search {number}", desk.now(), detail)
    messages.success(request, say("search_deleted", number=number))
    return redirect("searches")


@require_GET
def searches(request: HttpRequest) -> HttpResponse:
    """Earlier searches, the newest first: own ones, or everybody's for those who may see them."""
    desk = the_desk()
    sees_all = bool(SEES_OTHERS & request.roles)
    of_all = sees_all and ("all" in request.GET or not _SEARCHES & request.roles)
    before = request.GET.get("before", "")
    last = int(before) if before.isdecimal() and len(before) <= _MOST_DIGITS else None
    found = desk.archive.ledger.desk_searches.page(_PAGE + 1, last, None if of_all else person_of(request))
    return render(
        request,
        "desk/searches.html",
        {
            "rows": _rows(found[:_PAGE]),
            "more": found[_PAGE - 1].number if len(found) > _PAGE else None,
            "of_all": of_all,
            "sees_all": sees_all,
        },
    )


@require_GET
def state(request: HttpRequest, number: int) -> HttpResponse:
    """How far a search is, for the page that waits for it."""
    found = the_desk().searches.state(seen_search(request, number), the_desk().now())
    return JsonResponse({"ended": found.has_ended, "says": state_says(found)})


def _form(request: HttpRequest, status: int = 200) -> HttpResponse:
    desk = the_desk()
    uploads, settings = desk.searches.uploads, desk.runtime.settings
    latest = desk.archive.ledger.desk_searches.page(_LATEST, None, person_of(request))
    limits = say(
        "upload_limits",
        files=uploads.max_files,
        size=filesizeformat(uploads.max_bytes),
        pages=settings.desk_upload_pages,
    )
    context = {
        "limits": limits,
        "max_bytes": uploads.max_bytes,
        "max_files": uploads.max_files,
        "too_large": say("upload_too_large", size=filesizeformat(uploads.max_bytes)),
        "too_many": say("upload_too_many", files=uploads.max_files),
        "rows": _rows(latest),
    }
    return render(request, "desk/search.html", context, status=status)


def _started(request: HttpRequest, reception: Reception, *, keeps: bool) -> HttpResponse:
    """A search for received files, unless too many of this person's wait."""
    desk, person = the_desk(), person_of(request)
    if not desk.searches.room_for(person, len(reception.files)):
        messages.warning(request, say("upload_quota", files=desk.runtime.settings.desk_waiting_files))
        return _form(request, 429)
    number = desk.searches.start(person, reception, desk.now(), keeps=keeps)
    search = desk.archive.ledger.desk_searches.get(number)
    detail = {"files": len(reception.files), "keeps": keeps, "run": search.run_id if search else None}
    desk.archive.ledger.audit.add(person, "search.start", f"search {number}", desk.now(), detail)
    return redirect("search_result", number)


def _refusals(refused: Sequence[Refused], uploads: Uploads) -> Iterator[str]:
    size, files = filesizeformat(uploads.max_bytes), uploads.max_files
    for each in refused:
        yield say(f"upload_{each.why}", file=visible(each.name), size=size, files=files)


def _rows(found: Sequence[DeskSearch]) -> list[dict[str, Any]]:
    """Searches as lists show them."""
    ledger = the_desk().archive.ledger
    files = ledger.desk_searches.files([each.number for each in found])
    return [
        {
            "search": each,
            "files": ", ".join(visible(file.name) for file in files[each.number]),
            "state": say(
                "search_open" if each.ended_at is None else "search_failed" if each.failure else "search_done"
            ),
            "kept": say("kept" if each.keeps else "not_kept"),
        }
        for each in found
    ]
