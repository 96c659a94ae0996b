"""Faces as they are: shown in a case to whoever asks for them, until the session ends or they are hidden again."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from doc_assets.web.access import UNREDACTED, may
from doc_assets.web.desk import the_desk
from doc_assets.web.pictures import page_pixels, photo_pixels, picture
from doc_assets.web.queue import filter_of, with_query

_SHOWN = "faces"
"""In a session: cases whose pictures its person sees as they are."""
_MOST_SHOWN = 50
_MOST_DIGITS = 5
_ADDRESSES = ("own", "other", "ownPage", "otherPage", "thumb", "large")


@require_POST
def show_faces(request: HttpRequest, case_id: int) -> HttpResponse:
    """Shows the faces of a case, or hides them if the form says so."""
    desk = the_desk()
    if desk.archive.ledger.cases.get(case_id) is None:
        raise Http404
    others = [each for each in request.session.get(_SHOWN, []) if each != case_id]
    is_shown = request.POST.get("show", "1") == "1"
    request.session[_SHOWN] = [*others, case_id][-_MOST_SHOWN:] if is_shown else others
    detail = {"shown": is_shown}
    desk.archive.ledger.audit.add(request.user.get_username(), "case.faces", f"case {case_id}", desk.now(), detail)
    _, asked = filter_of(request)
    at = request.POST.get("pair", "")
    place = {"pair": int(at)} if at.isdecimal() and len(at) <= _MOST_DIGITS else {}
    return redirect(with_query(reverse("case", args=[case_id]), {**asked, **place}))


@require_GET
def photo(request: HttpRequest, case_id: int, row_id: int, photo: int, side: int) -> HttpResponse:
    """A photo of a document of a case as it is, at most ``side`` pixels long."""
    _require_shown(request, case_id, row_id)
    return picture(photo_pixels(row_id, photo, side))


@require_GET
def page(request: HttpRequest, case_id: int, row_id: int, number: int) -> HttpResponse:
    """A page of a document of a case as it is, from 1."""
    _require_shown(request, case_id, row_id)
    return picture(page_pixels(row_id, number))


def are_shown(request: HttpRequest, case_id: int) -> bool:
    """Whether the person sees faces in this case."""
    return case_id in request.session.get(_SHOWN, []) and may(request.roles, "photo_original")


def with_faces(request: HttpRequest, case_id: int, shown: dict[str, Any]) -> dict[str, Any]:
    """What a page shows of a pair or photo; addresses of its pictures are those with faces if these are shown."""
    if not are_shown(request, case_id):
        return shown
    return {
        name: f"/cases/{case_id}{value}" if name in _ADDRESSES and value else value for name, value in shown.items()
    }


def leaving(request: HttpRequest, case_id: int) -> dict[str, bool]:
    """What the page of a case offers: faces, and what may be taken out."""
    return {
        "may_show_faces": may(request.roles, "show_faces"),
        "faces_shown": are_shown(request, case_id),
        "may_export": may(request.roles, "package"),
        "may_export_originals": bool(UNREDACTED & set(request.roles)),
    }


def _require_shown(request: HttpRequest, case_id: int, row_id: int) -> None:
    """Raises PermissionDenied if faces were not asked for, Http404 if the document is not in the case."""
    if not are_shown(request, case_id):
        raise PermissionDenied
    cases = the_desk().archive.ledger.cases
    found = cases.get(case_id)
    rows = {pair.other_row for pair in cases.pairs([case_id]).get(case_id, [])}
    if found is None or row_id not in {found.row_id, *rows}:
        raise Http404
