"""The audit as a page."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from doc_assets.util.visible import visible, visible_value
from doc_assets.web.desk import the_desk
from doc_assets.web.wording import say

_PAGE = 100
_MOST_DIGITS = 18


@require_GET
def audit(request: HttpRequest) -> HttpResponse:
    """Who did what, the newest first."""
    ledger = the_desk().archive.ledger.audit
    before = request.GET.get("before", "")
    entries = ledger.page(_PAGE + 1, int(before) if before.isdecimal() and len(before) <= _MOST_DIGITS else None)
    more = entries[_PAGE - 1].number if len(entries) > _PAGE else None
    whole = ledger.verify()
    says = say("audit_broken", n=whole.broken) if whole.broken else say("audit_whole", n=whole.entries)
    shown = [
        {
            "number": entry.number,
            "at": entry.at,
            "words": [visible(text) for text in (entry.person, entry.action, entry.subject)],
            "detail": [(visible(name), visible_value(value)) for name, value in entry.detail.items()],
        }
        for entry in entries[:_PAGE]
    ]
    return render(request, "desk/audit.html", {"entries": shown, "more": more, "whole": whole, "says": says})
