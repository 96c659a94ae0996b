"""Marks of forgotten documents."""

import sqlalchemy as sa
from alembic import op

from doc_assets.archive.ledger.schema import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table; nothing was forgotten before."""
    op.create_table(
        "tombstones",
        sa.Column("mark", sa.Text(), nullable=False),
        sa.Column("document_mark", sa.Text(), nullable=False),
        sa.Column("forgotten_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("mark", "document_mark", name="pk_tombstones"),
    )


def downgrade() -> None:
    """Removes it; what was forgotten may then be dropped again."""
    op.drop_table("tombstones")
