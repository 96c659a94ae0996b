"""What a search could not look for or compare, with its results."""

import sqlalchemy as sa
from alembic import op

from doc_assets.archive.ledger.schema import Json

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds it; of earlier results nothing is known to lack."""
    op.add_column("search_results", sa.Column("faults", Json, nullable=False, server_default=sa.text("'[]'")))


def downgrade() -> None:
    """Removes it."""
    op.drop_column("search_results", "faults")
