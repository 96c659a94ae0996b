"""The date of every document, and where it stands."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from doc_assets.sources.dates import DateRule

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_ROWS = 2000


def upgrade() -> None:
    """Dates what arrived so far by the rule as it comes; a document that arrived twice arrived the first time."""
    op.add_column("documents", sa.Column("document_date", sa.Date()))
    op.add_column("documents", sa.Column("date_source", sa.Text()))
    update = sa.text("UPDATE documents SET document_date = :day, date_source = :source WHERE id = :id").bindparams(
        sa.bindparam("day", type_=sa.Date())
    )
    rule = DateRule()
    for rows in _documents():
        dated = []
        for row in rows:
            fields = json.loads(row.fields) if isinstance(row.fields, str) else row.fields or {}
            date = rule.date_of(row.document_id, fields, _aware(row.arrived_at))
            dated.append({"id": row.id, "day": date.day, "source": date.source})
        op.get_bind().execute(update, dated)


def downgrade() -> None:
    """Loses the dates."""
    op.drop_column("documents", "date_source")
    op.drop_column("documents", "document_date")


def _documents() -> Iterator[list[Any]]:
    """Every arrival in order, with the time at which its document first arrived."""
    query = sa.text(
        "SELECT id, document_id, fields, (SELECT min(drops.sealed_at) FROM drops JOIN documents AS earlier "
        "ON earlier.drop_key = drops.drop_key WHERE earlier.document_id = documents.document_id) AS arrived_at "
        "FROM documents WHERE id > :last ORDER BY id LIMIT :limit"
    )
    last = 0
    while rows := list(op.get_bind().execute(query, {"last": last, "limit": _ROWS})):
        yield rows
        last = rows[-1].id


def _aware(stored: datetime | str) -> datetime:
    """A time as SQLite or PostgreSQL gives it back."""
    moment = datetime.fromisoformat(stored) if isinstance(stored, str) else stored
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
