"""Collections side by side: which there are, which documents they hold, and stages by what they fill."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from doc_assets.archive.ledger.schema import Json, UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_COLLECTION = "photos__{0}__{1}__v2"


def upgrade() -> None:
    """Takes over where documents are indexed and what stages made; no collection has been chosen before."""
    op.create_table(
        "collections",
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("embedder", sa.Text(), nullable=False),
        sa.Column("options", Json, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("collection", name="pk_collections"),
    )
    op.create_table(
        "indexed_documents",
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("row_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["row_id"], ["documents.id"], name="fk_indexed_documents_row_id"),
        sa.PrimaryKeyConstraint("collection", "row_id", name="pk_indexed_documents"),
    )
    op.create_index("ix_indexed_documents_document_id", "indexed_documents", ["document_id"])
    op.execute(
        "INSERT INTO indexed_documents (collection, row_id, document_id) "
        "SELECT indexed_in, id, document_id FROM documents WHERE indexed_in IS NOT NULL"
    )
    op.drop_column("documents", "indexed_in")
    stages = _stages()
    _remake("target")
    for row in stages:
        row["target"] = _target(row["stage"], row["version"])
    _fill(stages)


def downgrade() -> None:
    """Keeps one collection of every document, and of every stage what was completed last."""
    op.add_column("documents", sa.Column("indexed_in", sa.Text()))
    op.execute(
        "UPDATE documents SET indexed_in = (SELECT max(collection) FROM indexed_documents WHERE row_id = documents.id)"
    )
    op.drop_table("indexed_documents")
    op.drop_table("collections")
    stages = {(row["drop_key"], row["stage"]): row for row in sorted(_stages(), key=lambda row: row["completed_at"])}
    _remake()
    _fill([{name: value for name, value in row.items() if name != "target"} for row in stages.values()])


def _target(stage: str, version: str) -> str:
    """What a stage filled, by the version that it was completed with."""
    parts = version.split("|")
    if stage in {"photo_embeddings", "local_features"}:
        return parts[0]
    return _COLLECTION.format(*parts) if stage == "indexed_photos" else ""


def _stages() -> list[dict[str, Any]]:
    return [dict(row) for row in op.get_bind().execute(sa.text("SELECT * FROM drop_stages")).mappings()]


def _remake(*more_keys: str) -> None:
    """Makes the table anew with another key, which SQLite cannot change."""
    op.drop_table("drop_stages")
    keys = ("drop_key", "stage", *more_keys)
    op.create_table(
        "drop_stages",
        *(sa.Column(name, sa.Text(), nullable=False) for name in (*keys, "version")),
        sa.Column("completed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["drop_key"], ["drops.drop_key"], name="fk_drop_stages_drop_key"),
        sa.PrimaryKeyConstraint(*keys, name="pk_drop_stages"),
    )


def _fill(rows: list[dict[str, Any]]) -> None:
    if rows:
        names = list(rows[0])
        values = ", ".join(f":{name}" for name in names)
        op.get_bind().execute(sa.text(f"INSERT INTO drop_stages ({', '.join(names)}) VALUES ({values})"), rows)
