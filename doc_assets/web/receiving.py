"""The one way in for files: who may send a large body, and which route reads it."""

from collections.abc import Callable, Mapping
from importlib import import_module

from django.conf import settings
from django.contrib.auth import get_user
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse

from doc_assets.web.access import may
from doc_assets.web.desk import the_desk
from doc_assets.web.middleware import roles_of
from doc_assets.web.uploads import Reception

START = "search_start"
"""The one route that takes files."""


def receive_files(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Lets one route take files, after sign-in and role; what no search has taken leaves with the request.

    It stands behind all that refuses a request: nothing of its body has been read yet.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        if request.method != "POST" or request.resolver_match.url_name != START:
            return get_response(request)
        reception = Reception(request, the_desk().searches.uploads)
        request.upload_handlers = [reception]
        request.reception = reception
        try:
            return get_response(request)
        finally:
            reception.discard()

    return answer


def may_send(cookies: Mapping[str, str]) -> bool:
    """Whether these cookies are of somebody who may search, asked before anything of a large body is read."""
    request = HttpRequest()
    engine = import_module(settings.SESSION_ENGINE)
    request.session = engine.SessionStore(cookies.get(settings.SESSION_COOKIE_NAME))
    try:
        return may(roles_of(get_user(request)), START)
    finally:
        close_old_connections()  # no request has begun, and none will end
