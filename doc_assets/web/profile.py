"""A person's own page: password, second factor, sessions, language, and whether single keys do anything."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

COOKIE = "desk_shortcuts"
_OFF = "off"
_YEAR_S = 365 * 24 * 3600


@require_GET
def profile(request: HttpRequest) -> HttpResponse:
    """What a person can set."""
    return render(request, "desk/profile.html")


@require_POST
def shortcuts(request: HttpRequest) -> HttpResponse:
    """Switches the keys of the desk off or on, in this browser, as the language is chosen."""
    response = redirect("profile")
    if request.POST.get("shortcuts") == _OFF:
        response.set_cookie(
            COOKIE,
            _OFF,
            max_age=_YEAR_S,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Strict",
        )
    else:
        response.delete_cookie(COOKIE, samesite="Strict")
    return response


def keys_of(request: HttpRequest) -> dict[str, bool]:
    """Context of every template: whether single keys press buttons."""
    return {"shortcuts_off": request.COOKIES.get(COOKIE) == _OFF}
