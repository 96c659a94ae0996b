"""Searches that people of the review desk asked for, and the files they gave."""

import sqlalchemy as sa
from alembic import op

from doc_assets.archive.ledger.schema import BigKey, UtcDateTime

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the tables; the name of whoever asks has its column in ``searches`` already."""
    op.create_table(
        "desk_searches",
        sa.Column("number", BigKey, autoincrement=True, nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("keeps", sa.Boolean(), nullable=False),
        sa.Column("run_id", sa.Text()),
        sa.Column("ended_at", UtcDateTime()),
        sa.Column("failure", sa.Text()),
        sa.PrimaryKeyConstraint("number", name="pk_desk_searches"),
        sa.UniqueConstraint("run_id", name="uq_desk_searches_run_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_desk_searches_requested_by_number", "desk_searches", ["requested_by", "number"])
    op.create_index("ix_desk_searches_ended_at", "desk_searches", ["ended_at"])
    op.create_table(
        "desk_files",
        sa.Column("number", BigKey, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["number"], ["desk_searches.number"], name="fk_desk_files_number", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", "position", name="pk_desk_files"),
    )
    op.create_index("ix_desk_files_document_id", "desk_files", ["document_id"])
    op.create_index("ix_desk_files_sha256", "desk_files", ["sha256"])


def downgrade() -> None:
    """Removes them."""
    op.drop_table("desk_files")
    op.drop_table("desk_searches")
