"""Saved filters of the queue, what else cases are filtered and ordered by, and documents found by their merchant."""

import sqlalchemy as sa
from alembic import op

from doc_assets.archive.ledger.schema import BigKey, UtcDateTime

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_ORDERS = ("probability", "opened_at")
_BUSINESS = "업종명"  # as ``searches.KEY_FIELDS`` had it when this was written
_BY_MERCHANT = "ix_documents_merchant_id_document_date_id"


def upgrade() -> None:
    """Adds the table, the columns of cases with what is known of them, and the indexes."""
    op.create_table(
        "saved_filters",
        sa.Column("filter_id", BigKey, autoincrement=True, nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("saved_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("filter_id", name="pk_saved_filters"),
        sa.UniqueConstraint("person", "name", name="uq_saved_filters_person_name"),
    )
    op.create_index(_BY_MERCHANT, "documents", ["merchant_id", "document_date", "id"])
    op.add_column("review_cases", sa.Column("business", sa.Text()))
    op.add_column("review_cases", sa.Column("probability", sa.Float(), nullable=False, server_default=sa.text("0")))
    op.execute(
        "UPDATE review_cases SET probability = coalesce((SELECT max(review_pairs.probability) FROM review_pairs "
        "WHERE review_pairs.case_id = review_cases.case_id), 0)"
    )
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    field = (
        f"json_extract(documents.fields, '$.\"{_BUSINESS}\"')" if is_sqlite else f"documents.fields ->> '{_BUSINESS}'"
    )
    op.execute(
        f"UPDATE review_cases SET business = (SELECT nullif({field}, '') FROM documents "
        "WHERE documents.id = review_cases.row_id)"
    )
    for column in _ORDERS:
        op.create_index(f"ix_review_cases_state_{column}", "review_cases", ["state", column, "case_id"])
    op.create_index("ix_review_cases_business", "review_cases", ["business"])


def downgrade() -> None:
    """Removes them; what people saved is lost."""
    op.drop_index("ix_review_cases_business", "review_cases")
    for column in _ORDERS:
        op.drop_index(f"ix_review_cases_state_{column}", "review_cases")
    op.drop_column("review_cases", "probability")
    op.drop_column("review_cases", "business")
    op.drop_index(_BY_MERCHANT, "documents")
    op.drop_table("saved_filters")
