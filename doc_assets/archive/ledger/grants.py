"""What the database role of the review desk may write of the ledger, on PostgreSQL; it may read all of it."""

from typing import Final

from sqlalchemy import Connection, text

from doc_assets.archive.ledger.schema import (
    AuditRow,
    Base,
    DeskFile,
    DeskSearchRow,
    ReviewCase,
    ReviewComment,
    SavedFilterRow,
    Search,
    SearchResult,
    VerdictRow,
)

DESK_ROLE: Final = "desk"
DESK_SCHEMA: Final = "desk"
"""Holds people of the desk and their sessions; the role works on its rows, and does not change its tables."""
DESK_WRITES: Final[dict[type[Base], tuple[str, ...]]] = {
    ReviewCase: ("UPDATE",),  # who holds it, and what it waits for
    VerdictRow: ("INSERT",),
    ReviewComment: ("INSERT",),
    AuditRow: ("INSERT",),
    SavedFilterRow: ("INSERT", "DELETE"),
    DeskSearchRow: ("INSERT", "UPDATE", "DELETE"),
    DeskFile: ("INSERT", "DELETE"),
    Search: ("DELETE",),  # of people who delete their searches
    SearchResult: ("DELETE",),
}


def grant_desk(connection: Connection) -> bool:
    """Grants the role of the desk what it needs, as the owner of the tables; what it was granted before stays.

    Returns:
        False if the server has no such role, and nothing was done.
    """
    has_role = text("SELECT count(*) FROM pg_roles WHERE rolname = :role")
    if not connection.execute(has_role, {"role": DESK_ROLE}).scalar_one():
        return False
    for statement in _statements():
        connection.execute(text(statement))
    return True


def _statements() -> list[str]:
    return [
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {DESK_ROLE}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {DESK_ROLE}",
        *(
            f"GRANT {', '.join(rights)} ON public.{table.__tablename__} TO {DESK_ROLE}"
            for table, rights in DESK_WRITES.items()
        ),
        f"GRANT USAGE ON SCHEMA {DESK_SCHEMA} TO {DESK_ROLE}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {DESK_SCHEMA} TO {DESK_ROLE}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {DESK_SCHEMA} TO {DESK_ROLE}",
    ]
