"""Merchant, risk and the earlier system's fields of a search's results."""

import sqlalchemy as sa
from alembic import op

from doc_assets.archive.ledger.schema import Json

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TABLE = "search_results"


def upgrade() -> None:
    """Adds the columns; results of earlier searches have no risk."""
    op.add_column(_TABLE, sa.Column("merchant_id", sa.Text()))
    op.add_column(_TABLE, sa.Column("risk_score", sa.Float()))
    op.add_column(_TABLE, sa.Column("flagged", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column(_TABLE, sa.Column("legacy", Json, nullable=False, server_default=sa.text("'{}'")))


def downgrade() -> None:
    """Removes them."""
    for column in ("legacy", "flagged", "risk_score", "merchant_id"):
        op.drop_column(_TABLE, column)
