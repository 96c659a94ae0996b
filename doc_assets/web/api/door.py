"""Who asks the API, by key or by session, and whether that may be; how often, and the form of refusals."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from doc_assets.web.access import JUDGES, ApiAccess, Scope
from doc_assets.web.desk import the_desk
from doc_assets.web.keys.store import Key, shown_key, valid_key
from doc_assets.web.problems import PROBLEM_TYPE, problem

_WANTED = {"WWW-Authenticate": 'Bearer realm="doc_assets"'}
_KEPT_HEADERS = ("Allow", "Retry-After", "WWW-Authenticate")
_ERROR = 400


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        name: for the audit; that of a key has a blank, which no person's name has.
        key: that was shown; None of somebody who is signed in.
        roles: of somebody who is signed in.
    """

    name: str
    key: Key | None
    roles: frozenset[str]

    def has(self, scope: Scope, roles: frozenset[str]) -> bool:
        """Whether the key has the scope, or the person one of the roles."""
        return scope in self.key.scopes if self.key is not None else bool(roles & self.roles)

    @property
    def judges(self) -> bool:
        """Whether it is somebody who may be asked for a second, blind verdict."""
        return bool(JUDGES & self.roles)


def let_in(request: HttpRequest, access: ApiAccess, respond: Callable[[HttpRequest], HttpResponse]) -> HttpResponse:
    """The answer to a request of a program, or of somebody who is signed in; errors are problem JSON.

    A key that is shown counts alone: a wrong one is refused, whoever is signed in beside it.
    """
    address = visitor(request.headers, str(request.META.get("REMOTE_ADDR", "")), is_proxied=_is_proxied())
    if (pause_s := the_desk().limit.pause_s(f"address {address}")) is not None:
        return _too_often(pause_s)
    shown = shown_key(request.headers)
    caller = _person(request) if shown is None else _program(shown)
    if caller is None:
        return problem(401, "Send a key of this desk as X-API-Key or as a bearer token, or sign in.", _WANTED)
    if caller.key is not None:
        request.api_key = caller.key.prefix
        if (pause_s := the_desk().limit.pause_s(f"key {caller.key.prefix}")) is not None:
            return _too_often(pause_s)
    if access.scope is not None and not caller.has(access.scope, access.roles):
        return problem(403, f"The key needs the scope {access.scope!r}." if caller.key else "Not for your roles.")
    if any(len(values) > 1 for _, values in request.GET.lists()):  # one would count, nobody knows which
        return problem(422, "A parameter was given more than once.")
    request.caller = caller
    return _in_form(respond(request))


def caller_of(request: HttpRequest) -> Caller:
    """Who asks, in a request that was let in."""
    caller: Caller = request.caller
    return caller


def note(request: HttpRequest, action: str, subject: str, **detail: Any) -> None:  # noqa: ANN401 - JSON
    """Files in the audit what was read, by number."""
    desk = the_desk()
    desk.archive.ledger.audit.add(caller_of(request).name, action, subject, desk.now(), {"by": "api", **detail})


def visitor(headers: Mapping[str, str], peer: str, *, is_proxied: bool) -> str:
    """The address of whoever asks; behind the one proxy that is trusted, what it says last."""
    said = headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    return said if is_proxied and said else peer


def _is_proxied() -> bool:
    return bool(settings.DESK_PROXY_SECRET)


def _program(shown: str) -> Caller | None:
    key = valid_key(shown, the_desk().now())
    return None if key is None else Caller(f"key {key.name} ({key.prefix})", key, frozenset())


def _person(request: HttpRequest) -> Caller | None:
    return Caller(request.user.get_username(), None, request.roles) if request.user.is_authenticated else None


def _too_often(pause_s: int) -> HttpResponse:
    return problem(429, "Too many requests.", {"Retry-After": str(pause_s)})


def _in_form(response: HttpResponse) -> HttpResponse:
    """An answer whose errors, whoever made them, are problem JSON."""
    if response.status_code < _ERROR or response.headers.get("Content-Type") == PROBLEM_TYPE:
        return response
    kept = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    return problem(response.status_code, headers=kept)
