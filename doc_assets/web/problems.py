"""Error pages, and for programs the same as problem JSON (RFC 9457). The reason in detail is for the log alone."""

import json
import logging
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from doc_assets.web.wording import say

PROBLEM_TYPE = "application/problem+json"
_OF_PROGRAMS = ("/api/", "/metrics")
_log = logging.getLogger(__name__)


def bad_request(request: HttpRequest, exception: Any = None) -> HttpResponse:  # noqa: ANN401 - any exception
    """A request that no page of ours makes."""
    return _page(request, "bad_request", 400)


def refused(request: HttpRequest, exception: Any = None) -> HttpResponse:  # noqa: ANN401 - any exception
    """Nothing for the roles of this person."""
    return _page(request, "refused", 403)


def unknown_person(request: HttpRequest) -> HttpResponse:
    """Somebody whom the proxy signed in and who has no account here."""
    return _page(request, "unknown_person", 403)


def stale_form(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form without its token: an old page, or one of another site."""
    return _page(request, "stale_form", 403)


def not_found(request: HttpRequest, exception: Any = None) -> HttpResponse:  # noqa: ANN401 - any exception
    """No such page, case or picture."""
    return _page(request, "not_found", 404)


def failed(request: HttpRequest) -> HttpResponse:
    """A fault of ours, with its traceback in the log."""
    _log.exception("a page of the desk failed")
    return _page(request, "failed", 500)


def problem(status: int, detail: str | None = None, headers: dict[str, str] | None = None) -> HttpResponse:
    """An error for a program, in words that say nothing of this machine."""
    says = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    content = json.dumps(says | ({"detail": detail} if detail else {}))
    return HttpResponse(content, status=status, content_type=PROBLEM_TYPE, headers=headers)


def _page(request: HttpRequest, what: str, status: int) -> HttpResponse:
    if request.path.startswith(_OF_PROGRAMS):
        return problem(status)
    return render(request, "desk/problem.html", {"says": say(what)}, status=status)
