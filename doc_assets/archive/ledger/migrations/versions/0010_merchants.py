"""One spelling of every merchant number."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from doc_assets.sources.merchants import merchant_id

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_ROWS = 2000
_KEYS: dict[str, dict[str, Any]] = {
    "documents": {"id": 0},
    "search_results": {"search_id": "", "query_document": ""},
}
"""Tables that name merchants, with what their rows are told apart by and what comes before all of it."""


def upgrade() -> None:
    """Writes merchants as they are compared; what names nobody (1.20815E+09, nan) becomes unknown."""
    for table, first in _KEYS.items():
        same = " AND ".join(f"{column} = :{column}" for column in first)
        update = sa.text(f"UPDATE {table} SET merchant_id = :merchant WHERE {same}")
        for rows in _rows(table, first):
            changed = [
                {**row, "merchant": merchant_id(row["merchant_id"])}
                for row in rows
                if merchant_id(row["merchant_id"]) != row["merchant_id"]
            ]
            if changed:
                op.get_bind().execute(update, [{k: v for k, v in row.items() if k != "merchant_id"} for row in changed])


def downgrade() -> None:
    """Nothing to undo: how a number was written still stands among the document's fields."""


def _rows(table: str, first: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """Rows that name a merchant, in parts and in the order of their keys."""
    columns, marks = ", ".join(first), ", ".join(f":{column}" for column in first)
    query = sa.text(
        f"SELECT {columns}, merchant_id FROM {table} "
        f"WHERE merchant_id IS NOT NULL AND ({columns}) > ({marks}) ORDER BY {columns} LIMIT :limit"
    )
    last = first
    while rows := [dict(row._mapping) for row in op.get_bind().execute(query, {**last, "limit": _ROWS})]:
        yield rows
        last = {column: rows[-1][column] for column in first}
