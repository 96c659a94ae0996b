"""Who may do what: one table of routes and roles."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

Role = Literal["viewer", "reviewer", "lead", "admin", "auditor"]
ROLES: tuple[Role, ...] = get_args(Role)

_EVERYBODY: frozenset[Role] = frozenset(ROLES)
_SEES_CASES: frozenset[Role] = frozenset({"viewer", "reviewer", "lead", "auditor"})
_SEARCHES: frozenset[Role] = frozenset({"viewer", "reviewer", "lead"})
JUDGES: frozenset[Role] = frozenset({"reviewer", "lead"})
_LEADS: frozenset[Role] = frozenset({"lead", "admin", "auditor"})

EXPORTS: frozenset[Role] = frozenset({"reviewer", "lead", "auditor"})
"""Who may take rows and cases out, faces pixelated, and see faces in the cases that they open."""
UNREDACTED: frozenset[Role] = frozenset({"lead", "auditor"})
"""Who may take out documents, and pictures with faces."""

MAY: dict[str, frozenset[Role]] = {
    "queue": _SEES_CASES,
    "next_case": JUDGES,
    "case": _SEES_CASES,
    "verdict": JUDGES,
    "undo": JUDGES,
    "comment": JUDGES,
    "release": JUDGES,
    "hold": JUDGES,
    "photo": _SEES_CASES,
    "page": _SEES_CASES,
    "search": _SEARCHES,
    "search_start": _SEARCHES,
    "searches": _SEES_CASES,
    "search_result": _SEES_CASES,
    "search_state": _SEES_CASES,
    "query_photo": _SEES_CASES,
    "query_page": _SEES_CASES,
    "search_again": _SEARCHES,
    "search_delete": _SEARCHES,
    "audit": frozenset({"lead", "admin", "auditor"}),
    **dict.fromkeys(("reports", "report", "report_file"), _LEADS),
    "help": _EVERYBODY,
    # documents, merchants, photo groups, comparisons
    "document": _SEES_CASES,
    "merchant": _SEES_CASES,
    "merchant_find": _SEES_CASES,
    "group": _SEES_CASES,
    "group_preview": JUDGES,
    "group_decide": JUDGES,
    "compare": _SEES_CASES,
    "compare_find": _SEES_CASES,
    # a person's own settings
    "profile": _EVERYBODY,
    "shortcuts": _EVERYBODY,
    "save_filter": _SEES_CASES,
    "delete_filter": _SEES_CASES,
    # what leaves the desk, and faces
    "export_csv": EXPORTS,
    "export_xlsx": EXPORTS,
    "export_json": EXPORTS,
    "print_case": EXPORTS,
    "package": EXPORTS,
    "show_faces": EXPORTS,
    "photo_original": EXPORTS,
    "page_original": EXPORTS,
}
"""By the name of a route of the desk; administrators keep people and do not judge cases."""

OPEN = frozenset({"enter", "health", "set_language", "static", "api_health"})
"""Routes of the desk that need no signing in."""

ACCOUNTS = frozenset(
    {
        "account_login",
        "account_logout",
        "account_reauthenticate",
        "account_change_password",
        "mfa_index",
        "mfa_authenticate",
        "mfa_reauthenticate",
        "mfa_activate_totp",
        "mfa_deactivate_totp",
        "mfa_view_recovery_codes",
        "mfa_generate_recovery_codes",
        "mfa_download_recovery_codes",
        "mfa_list_webauthn",
        "mfa_add_webauthn",
        "mfa_edit_webauthn",
        "mfa_remove_webauthn",
        "mfa_reauthenticate_webauthn",
        "usersessions_list",
    }
)
"""Pages of allauth that the desk has; they look themselves who may see them. Those that send mail or let people add
themselves are not among them."""


# --- programs

Scope = Literal["images", "cases", "results", "verdicts", "documents", "metrics"]
"""What a named key may be used for; ``images`` is the document API, which is no page of the desk."""
SCOPES: tuple[Scope, ...] = get_args(Scope)


@dataclass(frozen=True, slots=True)
class ApiAccess:
    """Who may use a route of the API.

    Attributes:
        scope: that a key must have; None for any key.
        roles: one of which somebody must have who is signed in.
    """

    scope: Scope | None
    roles: frozenset[Role]


API: dict[str, ApiAccess] = {
    "api_cases": ApiAccess("cases", _SEES_CASES),
    "api_case": ApiAccess("cases", _SEES_CASES),
    "api_results_of_drop": ApiAccess("results", _SEES_CASES),
    "api_result_of_document": ApiAccess("results", _SEES_CASES),
    "api_document": ApiAccess("documents", _SEES_CASES),
    "api_verdicts": ApiAccess("verdicts", frozenset({"auditor"})),
    "metrics": ApiAccess("metrics", frozenset({"admin"})),
    "openapi-json": ApiAccess(None, _EVERYBODY),
    "api-root": ApiAccess(None, _EVERYBODY),
}
"""By the name of a route. Nothing of it changes anything: verdicts are said by people, on the page of the case, and
whoever judges may not read there what a first reviewer said. The last two names are django-ninja's."""


def may(roles: Collection[str], route: str) -> bool:
    """Whether somebody with these roles may use a route; nobody may use one that the table does not name."""
    return any(role in MAY.get(route, ()) for role in roles)
