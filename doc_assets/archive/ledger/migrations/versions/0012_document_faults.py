"""What stages left out of documents, and how many photos of each a collection lacks."""

import sqlalchemy as sa
from alembic import op

from doc_assets.archive.ledger.schema import BigKey

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Takes over what reading left out; no other stage left anything out before, or its run failed."""
    op.create_table(
        "document_faults",
        sa.Column("id", BigKey, autoincrement=True, nullable=False),
        sa.Column("row_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("page_index", sa.Integer()),
        sa.Column("photo_index", sa.Integer()),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["row_id"], ["documents.id"], name="fk_document_faults_row_id"),
        sa.PrimaryKeyConstraint("id", name="pk_document_faults"),
    )
    op.create_index("ix_document_faults_row_id", "document_faults", ["row_id"])
    op.execute(
        "INSERT INTO document_faults (row_id, document_id, stage, target, code, reason) "
        "SELECT id, document_id, 'documents', '', coalesce(reason_code, ''), coalesce(reason, '') "
        "FROM documents WHERE state = 'partial'"
    )
    op.add_column("indexed_documents", sa.Column("photos_left_out", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Removes both; documents keep their states and reasons."""
    op.drop_column("indexed_documents", "photos_left_out")
    op.drop_table("document_faults")
