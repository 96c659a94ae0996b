"""Ways in and out, and changes of them, each with its row of the audit; the one-time link of this machine."""

import hmac
import logging
import secrets
from typing import Any

from allauth.account.signals import password_changed, user_logged_in
from allauth.mfa.signals import (
    authentication_failed,
    authenticator_added,
    authenticator_removed,
    authenticator_reset,
)
from django.contrib.auth import login
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_out, user_login_failed
from django.db import DatabaseError
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from doc_assets.errors import DocAssetsError
from doc_assets.web.accounts import local_person
from doc_assets.web.desk import the_desk
from doc_assets.web.keys.models import ApiKey

_log = logging.getLogger(__name__)
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


@receiver(user_logged_in)
def _signed_in(user: Any, **_more: object) -> None:  # noqa: ANN401 - Django's user
    """With every factor that is asked for."""
    _file(user, "person.sign_in")


@receiver(user_logged_out)
def _signed_out(user: Any, **_more: object) -> None:  # noqa: ANN401 - Django's user, None if nobody was signed in
    if user is not None:
        _file(user, "person.sign_out")


@receiver(user_login_failed)
def _failed(credentials: dict[str, Any], **_more: object) -> None:
    """A password that did not fit; attempts that the limits stop are not looked at, and file nothing.

    Nobody is named as who did it. The typed name is filed only if it is a known person's: passwords are typed into the
    wrong field.
    """
    typed = str(credentials.get("username", "")).replace("\0", "")
    known = User.objects.filter(username__iexact=typed).first() if typed else None
    subject = f"person {known.get_username()}" if known is not None else "an unknown name"
    the_desk().archive.ledger.audit.add("", "person.sign_in_failed", subject, the_desk().now())


@receiver(authentication_failed)
def _failed_second_factor(user: Any, authenticator: Any, **_more: object) -> None:  # noqa: ANN401
    """A code that did not fit, after the right password."""
    _file(user, "person.code_failed", {"type": str(authenticator.type)})


@receiver(password_changed)
def _changed_password(user: Any, **_more: object) -> None:  # noqa: ANN401 - Django's user
    _file(user, "person.change_password")


@receiver([authenticator_added, authenticator_removed, authenticator_reset])
def _changed_second_factor(user: Any, authenticator: Any, signal: object, **_more: object) -> None:  # noqa: ANN401
    changes = {id(authenticator_added): "added", id(authenticator_removed): "removed"}
    what = {"type": str(authenticator.type), "change": changes.get(id(signal), "made anew")}
    _file(user, "person.second_factor", what)


def _file(user: Any, action: str, detail: dict[str, Any] | None = None) -> None:  # noqa: ANN401 - Django's user
    desk, name = the_desk(), user.get_username()
    desk.archive.ledger.audit.add(name, action, f"person {name}", desk.now(), detail)


@require_GET
def health(_request: HttpRequest) -> HttpResponse:
    """Whether ledger and accounts answer; an archive folder that is away is no reason to end the desk."""
    faults = faults_now()
    return JsonResponse({"status": "failing" if faults else "ok", "faults": faults}, status=503 if faults else 200)


def faults_now() -> list[str]:
    """What does not work, in words that name no place; empty if all is well."""
    faults = []
    for name, ask in (("ledger", the_desk().archive.ledger.audit.last), ("accounts", ApiKey.objects.exists)):
        try:
            ask()
        except (DocAssetsError, DatabaseError):
            _log.exception("the %s cannot be read", name)
            faults.append(f"the {name} cannot be read")
    return faults


@require_GET
def help_page(request: HttpRequest) -> HttpResponse:
    """Keys and what verdicts mean."""
    return render(request, "desk/help.html")
