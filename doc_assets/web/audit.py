"""The audit as a page."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

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
    entries = ledger.page(_PAGE + 1, int(before) if before.isdecimal() and len(before) <= _MOST_DIGITS else None)
    more = entries[_PAGE - 1].number if len(entries) > _PAGE else None
    whole = ledger.verify(_VERIFIED)  # all of them would take seconds; `doc-assets audit --verify` reads them
    checked = min(whole.entries, _VERIFIED)
    says = say("audit_broken", n=whole.broken) if whole.broken else say("audit_whole", n=whole.entries, checked=checked)
    return render(request, "desk/audit.html", {"entries": entries[:_PAGE], "more": more, "whole": whole, "says": says})
