"""Who may do what: one table of routes and roles."""

from collections.abc import Collection
from typing import Literal, get_args

Role = Literal["viewer", "reviewer", "lead", "admin", "auditor"]
ROLES: tuple[Role, ...] = get_args(Role)

_EVERYBODY: frozenset[Role] = frozenset(ROLES)
_SEES_CASES: frozenset[Role] = frozenset({"viewer", "reviewer", "lead", "auditor"})
JUDGES: frozenset[Role] = frozenset({"reviewer", "lead"})
_LEADS: frozenset[Role] = frozenset({"lead", "admin", "auditor"})

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
    "audit": frozenset({"lead", "admin", "auditor"}),
    **dict.fromkeys(("reports", "report", "report_file"), _LEADS),
    "help": _EVERYBODY,
}
"""By the name of a route of the desk; administrators keep people and do not judge cases."""

OPEN = frozenset({"enter", "health", "set_language", "static"})
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


def may(roles: Collection[str], route: str) -> bool:
    """Whether somebody with these roles may use a route; nobody may use one that the table does not name."""
    return any(role in MAY.get(route, ()) for role in roles)
