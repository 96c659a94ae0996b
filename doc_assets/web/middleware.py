"""What stands before every page: the proxy's secret, signing in, and the right role."""

import hmac
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import resolve

from doc_assets.web.access import MAY, OPEN, may

Answer = Callable[[HttpRequest], HttpResponse]
PROXY_HEADER = "X-Desk-Proxy"


def behind_proxy(get_response: Answer) -> Answer:
    """With a proxy in front, answers what comes by it alone; what it says of the visitor counts only then."""

    def answer(request: HttpRequest) -> HttpResponse:
        secret = str(settings.DESK_PROXY_SECRET)
        shown = request.headers.get(PROXY_HEADER, "")
        if secret and not hmac.compare_digest(shown.encode(), secret.encode()):
            return HttpResponse("This address is answered through its proxy alone.", status=403)
        return get_response(request)

    return answer


def roles_of(user: Any) -> frozenset[str]:  # noqa: ANN401 - Django's user, or nobody
    """The roles of somebody who signed in."""
    return frozenset(user.groups.values_list("name", flat=True)) if user.is_authenticated else frozenset()


def by_role(get_response: Answer) -> Answer:
    """Lets nobody use a page of the desk without its role; pages of accounts look after themselves."""

    def answer(request: HttpRequest) -> HttpResponse:
        route = resolve(request.path_info).url_name or ""
        request.roles = roles_of(request.user)
        if route in MAY:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            if not may(request.roles, route):
                return render(request, "desk/refused.html", {"route": route}, status=403)
        elif route not in OPEN and not _of_accounts(route) and not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        response = get_response(request)
        if route in MAY and "Cache-Control" not in response:
            response["Cache-Control"] = "no-store"
        return response

    return answer


def _of_accounts(route: str) -> bool:
    return route.startswith(("account_", "mfa_", "usersessions_"))
