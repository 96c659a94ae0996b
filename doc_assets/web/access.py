"""Who may do what: one table of routes and roles."""

from collections.abc import Collection
from typing import Literal, get_args

Role = Literal["viewer", "reviewer", "lead", "admin", "auditor"]
ROLES: tuple[Role, ...] = get_args(Role)

_EVERYBODY: frozenset[Role] = frozenset(ROLES)
_SEES_CASES: frozenset[Role] = frozenset({"viewer", "reviewer", "lead", "auditor"})
_JUDGES: frozenset[Role] = frozenset({"reviewer", "lead"})

MAY: dict[str, frozenset[Role]] = {
    "queue": _SEES_CASES,
    "next_case": _JUDGES,
    "case": _SEES_CASES,
    "verdict": _JUDGES,
    "undo": _JUDGES,
    "comment": _JUDGES,
    "release": _JUDGES,
    "photo": _SEES_CASES,
    "page": _SEES_CASES,
    "audit": frozenset({"lead", "admin", "auditor"}),
    "help": _EVERYBODY,
}
"""By the name of a route of the desk; administrators keep people and do not judge cases."""

OPEN = frozenset({"enter", "health", "set_language", "static"})
"""Routes of the desk that need no signing in."""


def may(roles: Collection[str], route: str) -> bool:
    """Whether somebody with these roles may use a route; nobody may use one that the table does not name."""
    return any(role in MAY.get(route, ()) for role in roles)
