"""Filters of the queue that a person keeps under a name."""

from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from doc_assets.archive.ledger.saved_filters import MOST
from doc_assets.errors import InputError
from doc_assets.util.visible import visible
from doc_assets.web.desk import the_desk
from doc_assets.web.queue import filter_of, with_query
from doc_assets.web.wording import say

_LONGEST_NAME = 60
_NAMES = "text"
"""Part of a filter that names documents, and is not kept: what is forgotten must stand nowhere."""


@require_POST
def save(request: HttpRequest) -> HttpResponse:
    """Keeps the filter of the address under a name; one of the same name is replaced."""
    desk, person = the_desk(), request.user.get_username()
    _, asked = filter_of(request)
    back = redirect(with_query(reverse("queue"), asked))
    kept = {what: value for what, value in asked.items() if what != _NAMES}
    name = visible(request.POST.get("name", "").replace("\0", "").strip()[:_LONGEST_NAME])
    if not kept or not name:
        messages.warning(request, say("filter_empty"))
        return back
    try:
        number = desk.archive.ledger.saved_filters.save(person, name, urlencode(kept), desk.now())
    except InputError:
        messages.warning(request, say("filters_full", n=MOST))
        return back
    desk.archive.ledger.audit.add(person, "filter.save", f"filter {number}", desk.now())
    messages.info(request, say("filter_saved"))
    return back


@require_POST
def delete(request: HttpRequest, filter_id: int) -> HttpResponse:
    """Removes a filter of this person."""
    desk, person = the_desk(), request.user.get_username()
    if not desk.archive.ledger.saved_filters.remove(person, filter_id):
        raise Http404
    desk.archive.ledger.audit.add(person, "filter.delete", f"filter {filter_id}", desk.now())
    messages.info(request, say("filter_deleted"))
    _, asked = filter_of(request)
    return redirect(with_query(reverse("queue"), asked))
