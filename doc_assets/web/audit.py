"""The audit as a page."""

from dataclasses import replace

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from doc_assets.archive.ledger.audit import Entry
from doc_assets.util.visible import visible, visible_value
from doc_assets.web.desk import the_desk
from doc_assets.web.wording import say

_PAGE = 100
_VERIFIED = 2000
_MOST_DIGITS = 18


@require_GET
def audit(request: HttpRequest) -> HttpResponse:
    """Who did what, the newest first."""
    ledger = the_desk().archive.ledger.audit
    before = request.GET.get("before", "")
    last = int(before) if before.isdecimal() and len(before) <= _MOST_DIGITS else None
    entries = [_visible(entry) for entry in ledger.page(_PAGE + 1, last)]
    more = entries[_PAGE - 1].number if len(entries) > _PAGE else None
    whole = ledger.verify(_VERIFIED)  # all of them would take seconds; `doc-assets audit --verify` reads them
    checked = min(whole.entries, _VERIFIED)
    says = say("audit_broken", n=whole.broken) if whole.broken else say("audit_whole", n=whole.entries, checked=checked)
    return render(request, "desk/audit.html", {"entries": entries[:_PAGE], "more": more, "whole": whole, "says": says})


def _visible(entry: Entry) -> Entry:
    """An entry as it may be shown."""
    detail = {visible(name): visible_value(value) for name, value in entry.detail.items()}
    return replace(
        entry,
        person=visible(entry.person),
        action=visible(entry.action),
        subject=visible(entry.subject),
        detail=detail,
    )
