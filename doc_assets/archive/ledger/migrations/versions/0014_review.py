"""Cases, what people said of them, and the audit of the review desk."""

import sqlalchemy as sa
from alembic import op

from doc_assets.archive.ledger.schema import BigKey, Json, UtcDateTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ONLY_ADDED = ("verdicts", "audit")


def upgrade() -> None:
    """Adds the tables; rows of verdicts and of the audit can only be added."""
    _add_cases()
    op.create_table(
        "verdicts",
        sa.Column("verdict_id", BigKey, autoincrement=True, nullable=False),
        sa.Column("pair_key", sa.Text(), nullable=False),
        sa.Column("case_id", sa.BigInteger(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("photograph", sa.Text()),
        sa.Column("use", sa.Text()),
        sa.Column("withdraws", sa.BigInteger()),
        sa.Column("snapshot", Json, nullable=False),
        sa.PrimaryKeyConstraint("verdict_id", name="pk_verdicts"),
    )
    op.create_index("ix_verdicts_pair_key", "verdicts", ["pair_key"])
    op.create_index("ix_verdicts_case_id", "verdicts", ["case_id"])
    op.create_table(
        "audit",
        sa.Column("number", BigKey, autoincrement=False, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", Json, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_audit"),
    )
    for table in _ONLY_ADDED:
        _refuse_changes(table)


def _add_cases() -> None:
    op.create_table(
        "review_cases",
        sa.Column("case_id", BigKey, autoincrement=True, nullable=False),
        sa.Column("row_id", _ROW_ID, nullable=False),
        sa.Column("drop_key", sa.Text(), nullable=False),
        sa.Column("merchant_id", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("rank", sa.Float(), nullable=False),
        sa.Column("parts", Json, nullable=False),
        sa.Column("n_pairs", sa.Integer(), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("holder", sa.Text()),
        sa.Column("held_until", UtcDateTime()),
        sa.ForeignKeyConstraint(["row_id"], ["documents.id"], name="fk_review_cases_row_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("case_id", name="pk_review_cases"),
        sa.UniqueConstraint("row_id", name="uq_review_cases_row_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_review_cases_state_rank", "review_cases", ["state", "rank", "case_id"])
    for column in ("holder", "merchant_id", "drop_key"):
        op.create_index(f"ix_review_cases_{column}", "review_cases", [column])
    op.create_table(
        "review_pairs",
        sa.Column("case_id", _ROW_ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("pair_key", sa.Text(), nullable=False),
        sa.Column("photo", sa.Integer(), nullable=False),
        sa.Column("other_row", _ROW_ID),
        sa.Column("other_photo", sa.Integer(), nullable=False),
        sa.Column("finding", sa.Text(), nullable=False),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.Column("pair", Json),
        _of_case("fk_review_pairs_case_id"),
        sa.ForeignKeyConstraint(["other_row"], ["documents.id"], name="fk_review_pairs_other_row", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("case_id", "position", name="pk_review_pairs"),
    )
    op.create_index("ix_review_pairs_pair_key", "review_pairs", ["pair_key"])
    op.create_index("ix_review_pairs_other_row", "review_pairs", ["other_row"])
    op.create_table(
        "review_comments",
        sa.Column("comment_id", BigKey, autoincrement=True, nullable=False),
        sa.Column("case_id", _ROW_ID, nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        _of_case("fk_review_comments_case_id"),
        sa.PrimaryKeyConstraint("comment_id", name="pk_review_comments"),
    )
    op.create_index("ix_review_comments_case_id", "review_comments", ["case_id"])


def _of_case(name: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["case_id"], ["review_cases.case_id"], name=name, ondelete="CASCADE")


def _refuse_changes(table: str) -> None:
    says = f"rows of {table} are only added"
    if op.get_bind().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{says}'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_only_added() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{says}'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_only_added()"
    )


def downgrade() -> None:
    """Removes them; what people decided is lost."""
    for table in ("review_comments", "review_pairs", "review_cases", *_ONLY_ADDED):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        for table in _ONLY_ADDED:
            op.execute(f"DROP FUNCTION {table}_only_added()")
