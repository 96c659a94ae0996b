"""Pictures of the form, which links show one, and sizes of pages.

Pages that were read before have no size; boxes there are compared by their proportions.
"""

import sqlalchemy as sa
from alembic import op

from doc_assets.archive.ledger.schema import BigKey, Json, UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Adds the tables and the mark of links."""
    op.create_table(
        "form_pictures",
        sa.Column("picture_id", BigKey, autoincrement=True, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("recognised_by", sa.Text()),
        sa.Column("row_id", _ROW_ID),
        sa.Column("photo", sa.Integer()),
        sa.Column("flatness", sa.Float(), nullable=False),
        sa.Column("n_photos", sa.Integer(), nullable=False),
        sa.Column("n_documents", sa.Integer(), nullable=False),
        sa.Column("n_merchants", sa.Integer(), nullable=False),
        sa.Column("decided_by", sa.Text()),
        sa.Column("decided_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("picture_id", name="pk_form_pictures"),
    )
    op.create_index("ix_form_pictures_state", "form_pictures", ["state"])
    op.create_table(
        "form_picture_members",
        sa.Column("row_id", _ROW_ID, nullable=False),
        sa.Column("photo", sa.Integer(), nullable=False),
        sa.Column("picture_id", _ROW_ID, nullable=False),
        sa.Column("page_index", sa.Integer(), nullable=False),
        sa.Column("box", Json, nullable=False),
        sa.Column("page_size", Json),
        sa.Column("flatness", sa.Float(), nullable=False),
        sa.Column("look", sa.Text()),
        sa.ForeignKeyConstraint(
            ["row_id"], ["documents.id"], name="fk_form_picture_members_row_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["picture_id"], ["form_pictures.picture_id"], name="fk_form_picture_members_picture_id"
        ),
        sa.PrimaryKeyConstraint("row_id", "photo", name="pk_form_picture_members"),
    )
    op.create_index("ix_form_picture_members_picture_id", "form_picture_members", ["picture_id"])
    op.create_table(
        "page_sizes",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("page_index", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", "page_index", name="pk_page_sizes"),
    )
    op.add_column("photo_links", sa.Column("is_form", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Removes them; what operators decided on pictures is lost."""
    op.drop_column("photo_links", "is_form")
    op.drop_table("page_sizes")
    op.drop_table("form_picture_members")
    op.drop_table("form_pictures")
