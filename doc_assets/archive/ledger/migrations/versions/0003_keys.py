"""Fields of key tables with documents and results, and what became of keys."""

import sqlalchemy as sa
from alembic import op

from doc_assets.archive.ledger.schema import Json, UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TABLES = ("documents", "search_results")


def upgrade() -> None:
    """Adds them; documents and results of before have no fields."""
    for table in _TABLES:
        op.add_column(table, sa.Column("fields", Json, nullable=False, server_default=sa.text("'{}'")))
    op.create_table(
        "key_requests",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("n_files", sa.Integer(), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("source", "key", name="pk_key_requests"),
    )


def downgrade() -> None:
    """Removes them."""
    op.drop_table("key_requests")
    for table in _TABLES:
        op.drop_column(table, "fields")
