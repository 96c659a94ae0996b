"""Middleware of every page: the proxy's secret, the lifetime of a session, sign-in and roles."""

import hmac
import time
from collections.abc import Callable
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import login, logout
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import resolve

from doc_assets.web.access import ACCOUNTS, API, MAY, OPEN, may
from doc_assets.web.api.door import let_in
from doc_assets.web.desk import the_desk
from doc_assets.web.problems import refused, unknown_person

Answer = Callable[[HttpRequest], HttpResponse]
PROXY_HEADER = "X-Desk-Proxy"
NAME_HEADER = "X-Desk-User"
SINCE = "signed_in_at"
"""In a session: when it was first used by somebody who had signed in, in seconds of the epoch."""
LONGEST_S = 12 * 3600
SEEN = "seen_at"
"""In a session: when its use was last noted, in seconds of the epoch."""
_NOTED_EVERY_S = 60  # a page asks for dozens of pictures, and each note is two transactions


def behind_proxy(get_response: Answer) -> Answer:
    """With a proxy in front, answers what comes by it alone; what it says of the visitor counts only then."""

    def answer(request: HttpRequest) -> HttpResponse:
        secret = str(settings.DESK_PROXY_SECRET)
        shown = request.headers.get(PROXY_HEADER, "")
        if secret and not hmac.compare_digest(shown.encode(), secret.encode()):
            return HttpResponse("This address is answered through its proxy alone.", status=403)
        return get_response(request)

    return answer


def named_by_proxy(get_response: Answer) -> Answer:
    """Where the proxy signs people in, signs in whom it names, without a password or code of the desk.

    ``behind_proxy`` has made sure that it is the proxy who says so. Whom it names and the desk does not know is
    refused: roles are given by the desk (``doc-assets people add``), not by the login service.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        name = _named(request) if settings.DESK_FORWARD_SIGN_IN else ""
        if name and request.user.get_username() != name:
            person = User.objects.filter(username=name, is_active=True).first()
            if person is None:
                return unknown_person(request)
            login(request, person, backend="django.contrib.auth.backends.ModelBackend")
            desk = the_desk()
            desk.archive.ledger.audit.add(name, "person.sign_in", f"person {name}", desk.now(), {"by": "proxy"})
        return get_response(request)

    return answer


def _named(request: HttpRequest) -> str:
    """Whom the proxy names; headers come as Latin-1, whatever their bytes meant."""
    given = str(request.headers.get(NAME_HEADER, ""))
    return given.encode("latin-1", "replace").decode("utf-8", "replace")


def sessions(get_response: Answer) -> Answer:
    """Ends a session twelve hours after signing in, however busy it is, and notes its use; idle ones expire."""

    def answer(request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            now = time.time()
            if not 0 <= now - request.session.setdefault(SINCE, now) <= LONGEST_S:
                logout(request)
            elif not 0 <= now - request.session.get(SEEN, 0) < _NOTED_EVERY_S:
                request.session[SEEN] = now
                UserSession.objects.create_from_request(request)
        return get_response(request)

    return answer


def roles_of(user: Any) -> frozenset[str]:  # noqa: ANN401 - Django's user, or nobody
    """The roles of somebody who signed in."""
    return frozenset(user.groups.values_list("name", flat=True)) if user.is_authenticated else frozenset()


def by_role(get_response: Answer) -> Answer:
    """Lets nobody use a page of the desk without its role, or the API without its scope or role.

    Of the pages of accounts there are only those that the desk has.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        request.roles = roles_of(request.user)
        request.resolver_match = resolve(request.path_info)
        route = request.resolver_match.url_name or ""
        if route in MAY:
            if not request.user.is_authenticated:
                return redirect_to_login(_back(request))
            if not may(request.roles, route):
                return refused(request)
        elif route not in OPEN | ACCOUNTS | API.keys():
            raise Http404
        response = let_in(request, API[route], get_response) if route in API else get_response(request)
        if route not in OPEN and "Cache-Control" not in response:
            response["Cache-Control"] = "no-store"
        return response

    return answer


def _back(request: HttpRequest) -> str:
    """Where somebody goes on after signing in: to the page, or to the queue where that only takes forms."""
    return str(request.get_full_path()) if request.method in {"GET", "HEAD"} else "/"
