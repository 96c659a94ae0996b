"""Inbox, drops, documents, searches."""

import sqlalchemy as sa
from alembic import op

from doc_assets.archive.ledger.schema import BigKey, Json, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes all tables."""
    op.create_table(
        "inbox_files",
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("unchanged_since", UtcDateTime(), nullable=False),
        sa.Column("drop_key", sa.Text()),
        sa.PrimaryKeyConstraint("path", name="pk_inbox_files"),
    )
    op.create_table(
        "drops",
        sa.Column("drop_key", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("sealed_at", UtcDateTime(), nullable=False),
        sa.Column("n_files", sa.Integer(), nullable=False),
        sa.Column("chunk_documents", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("drop_key", name="pk_drops"),
    )
    op.create_table(
        "drop_stages",
        sa.Column("drop_key", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("completed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["drop_key"], ["drops.drop_key"], name="fk_drop_stages_drop_key"),
        sa.PrimaryKeyConstraint("drop_key", "stage", name="pk_drop_stages"),
    )
    op.create_table(
        "documents",
        sa.Column("id", BigKey, autoincrement=True, nullable=False),
        sa.Column("drop_key", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("source_path", sa.Text(), nullable=False),
        sa.Column("merchant_id", sa.Text()),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason_code", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("n_pages", sa.Integer()),
        sa.Column("n_photos", sa.Integer()),
        sa.Column("indexed_in", sa.Text()),
        sa.ForeignKeyConstraint(["drop_key"], ["drops.drop_key"], name="fk_documents_drop_key"),
        sa.PrimaryKeyConstraint("id", name="pk_documents"),
        sa.UniqueConstraint("drop_key", "position", name="uq_documents_drop_key_position"),
    )
    for column in ("document_id", "sha256", "state", "source_path"):
        op.create_index(f"ix_documents_{column}", "documents", [column])
    op.create_table(
        "searches",
        sa.Column("search_id", sa.Text(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime()),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("n_indexed_photos", sa.Integer(), nullable=False),
        sa.Column("settings", Json, nullable=False),
        sa.PrimaryKeyConstraint("search_id", name="pk_searches"),
    )
    op.create_table(
        "search_results",
        sa.Column("search_id", sa.Text(), nullable=False),
        sa.Column("query_document", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("n_photos", sa.Integer(), nullable=False),
        sa.Column("best_document", sa.Text()),
        sa.Column("best_score", sa.Float()),
        sa.Column("elapsed_s", sa.Float(), nullable=False),
        sa.Column("top_docs", Json, nullable=False),
        sa.ForeignKeyConstraint(["search_id"], ["searches.search_id"], name="fk_search_results_search_id"),
        sa.PrimaryKeyConstraint("search_id", "query_document", name="pk_search_results"),
    )


def downgrade() -> None:
    """Removes all tables."""
    for table in ("search_results", "searches", "documents", "drop_stages", "drops", "inbox_files"):
        op.drop_table(table)
