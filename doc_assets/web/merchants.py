"""A merchant: its documents over time, and other merchants whose documents show the same photographs."""

from datetime import date
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from doc_assets.archive.ledger.groups import GroupSummary
from doc_assets.archive.ledger.photo_sets import Photo
from doc_assets.archive.ledger.rows import Document
from doc_assets.sources.merchants import merchant_id
from doc_assets.util.visible import visible
from doc_assets.web.desk import the_desk
from doc_assets.web.documents import in_all, photo_name
from doc_assets.web.queue import photo_address, with_query
from doc_assets.web.subjects import Named, document_or_404, named, number_of, row_of
from doc_assets.web.wording import say

_PAGE = 20
_PHOTOS = 8
_TIES = 30
_LONGEST = 200


@require_GET
def merchant(request: HttpRequest) -> HttpResponse:
    """The merchant of the document that the address names by its number; without one, a form to find one."""
    desk, number = the_desk(), number_of(request.GET.get("document", ""))
    if number is None:
        return render(request, "desk/merchant.html", {})
    asked = document_or_404(number)
    context: dict[str, Any] = {"asked": asked, "named": Named.of(asked)}
    if asked.merchant_id is not None:
        traces = desk.archive.ledger.traces
        desk.archive.ledger.audit.add(
            request.user.get_username(), "merchant.see", f"merchant of document {number}", desk.now()
        )
        found = traces.of_merchant(asked.merchant_id, _PAGE + 1, _before(request))
        shown = found[:_PAGE]
        context |= {
            "merchant": visible(asked.merchant_id),
            "documents": _lines(shown),
            "more": f"{shown[-1].document_date},{shown[-1].id}" if len(found) > _PAGE else "",
            "is_first": _before(request) is None,
            "ties": _ties(asked.merchant_id) if _before(request) is None else [],
        }
    return render(request, "desk/merchant.html", context)


@require_POST
def merchant_find(request: HttpRequest) -> HttpResponse:
    """To the merchant of this number, or of the document of this name or number."""
    asked = request.POST.get("merchant", "").strip()[:_LONGEST].replace("\0", "")
    row = _row_of_merchant(asked)
    if row is None:
        messages.warning(request, say("no_merchant"))
        return redirect("merchant")
    return redirect(with_query(reverse("merchant"), {"document": row}))


def _row_of_merchant(asked: str) -> int | None:
    known = merchant_id(asked) if asked else None
    found = the_desk().archive.ledger.traces.of_merchant(known, 1) if known is not None else []
    return found[0].id if found else row_of(asked)


def _before(request: HttpRequest) -> tuple[date, int] | None:
    """Date and number of the last document seen; None for the first page, or if that is none."""
    day, _, number = request.GET.get("before", "").partition(",")
    row = number_of(number)
    try:
        return (date.fromisoformat(day), row) if row is not None else None
    except ValueError:
        return None


def _lines(documents: list[Document]) -> list[dict[str, Any]]:
    """Documents with their photos, each with the group that it is in."""
    ledger = the_desk().archive.ledger
    groups = ledger.groups.of_rows([each.id for each in documents])
    sizes = ledger.traces.groups(set(groups.values()))
    return [
        {
            "document": each,
            "named": Named.of(each),
            "case": ledger.cases.of_document(each.id),
            "photos": [_photo(each, photo, groups, sizes) for photo in range(min(each.n_photos or 0, _PHOTOS))],
            "more": say("n_more", n=(each.n_photos or 0) - _PHOTOS) if (each.n_photos or 0) > _PHOTOS else "",
        }
        for each in documents
    ]


def _photo(document: Document, photo: int, groups: dict[Photo, int], sizes: dict[int, GroupSummary]) -> dict[str, Any]:
    group = sizes.get(groups.get((document.id, photo), -1))
    return {
        "name": photo_name(photo),
        "thumb": photo_address(document.id, photo),
        "large": photo_address(document.id, photo, 1024),
        "group": group,
        "group_says": in_all(group.n_documents, group.n_merchants) if group else "",
        "is_shared": group is not None and group.n_merchants > 1,
    }


def _ties(merchant: str) -> list[dict[str, Any]]:
    found = the_desk().archive.ledger.traces.ties(merchant, _TIES)
    documents = named(each.row_id for each in found)
    return [
        {"tie": each, "merchant": visible(each.merchant_id), "document": documents[each.row_id]}
        for each in found
        if each.row_id in documents
    ]
