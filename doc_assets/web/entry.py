"""Ways in: the one-time link of this machine, and what needs no signing in."""

import hmac
import secrets

from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from doc_assets.web.accounts import local_person
from doc_assets.web.desk import the_desk

_LOOPBACK = frozenset({"127.0.0.1", "::1"})
_tokens: list[str] = []


def one_time_token() -> str:
    """A token that lets one visitor of this machine in, once; an earlier one ends."""
    _tokens[:] = [secrets.token_urlsafe(32)]
    return _tokens[0]


@never_cache
@require_GET
def enter(request: HttpRequest, token: str) -> HttpResponse:
    """Lets the person of this machine in with the link that was printed at the start."""
    known = _tokens and hmac.compare_digest(token.encode(), _tokens[0].encode())
    if not known or request.META.get("REMOTE_ADDR") not in _LOOPBACK:
        return render(request, "desk/link_used.html", status=403)
    _tokens.clear()
    person = local_person()
    login(request, person, backend="django.contrib.auth.backends.ModelBackend")
    the_desk().archive.ledger.audit.add(person.username, "person.enter", "one-time link", the_desk().now())
    return redirect("queue")


@require_GET
def health(_request: HttpRequest) -> HttpResponse:
    """Whether ledger and accounts answer."""
    the_desk().archive.ledger.cases.counts()
    return HttpResponse("ok\n", content_type="text/plain")


@require_GET
def help_page(request: HttpRequest) -> HttpResponse:
    """Keys and what verdicts mean."""
    return render(request, "desk/help.html")
