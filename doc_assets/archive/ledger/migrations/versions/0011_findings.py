"""Photo groups, findings of results, and a view that shows them.

Results of earlier versions keep what they say until they are labelled anew: ``doc-assets relabel``.
"""

from importlib import import_module

import sqlalchemy as sa
from alembic import op

from doc_assets.archive.ledger.schema import BigKey, Json

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_VIEW = "doc_similarity_results"
_KEY_FIELDS = ("수신일자", "업종명", "가맹점상호명", "구분")

_FIELDS_SQLITE = ",\n  ".join(
    f"""(SELECT f.value FROM json_each(r.fields) AS f WHERE f.key = '{name}') AS "{name}\"""" for name in _KEY_FIELDS
)
_FIELDS_POSTGRESQL = ",\n  ".join(f"""r.fields ->> '{name}' AS "{name}\"""" for name in _KEY_FIELDS)

_SQLITE = f"""
CREATE VIEW {_VIEW} AS SELECT
  row_number() OVER (ORDER BY s.started_at, s.search_id, r.position) AS id,
  s.search_id AS run_identifier,
  s.requested_by AS requesting_username,
  replace(s.started_at, ' ', 'T') || '+00:00' AS search_time_stamp,
  r.query_document,
  r.query_document AS matched_query_document,
  (SELECT json_group_object(json_extract(d.value, '$.document'), json_extract(d.value, '$.score'))
     FROM json_each(r.top_docs) AS d) AS top_similar_docs,
  CAST(json_extract(r.legacy, '$.threshold_match_count') AS INTEGER) AS threshold_match_count,
  (SELECT json_group_object(json_extract(d.value, '$.document'), json_object('explanatory_db_images', (
     SELECT json_group_object(b.name, b.similarity) FROM (
       SELECT json_extract(d.value, '$.document') || '#' || json_extract(m.value, '$.page') || '/'
           || json_extract(m.value, '$.photo') AS name,
         max(json_extract(m.value, '$.similarity')) AS similarity
       FROM json_each(d.value, '$.matches') AS m GROUP BY 1) AS b)))
     FROM json_each(r.top_docs) AS d) AS sim_img_check,
  json_extract(r.legacy, '$.image_authenticity') AS image_authenticity,
  json_extract(r.legacy, '$.fraud_doc_probability') AS fraud_doc_probability,
  s.global_top_docs,
  r.merchant_id AS "사업자등록번호",
  {_FIELDS_SQLITE},
  r.risk_score,
  r.flagged,
  json_extract(r.findings, '$[0].kind') AS finding,
  CASE WHEN json_extract(r.findings, '$[0].kind') <> 'first_use'
    THEN json_extract(r.findings, '$[0].first_use.document') END AS source_document,
  CASE WHEN json_extract(r.findings, '$[0].kind') <> 'first_use'
    THEN json_extract(r.findings, '$[0].first_use.merchant_id') END AS source_merchant_id,
  CAST(r.document_date AS TEXT) AS document_date,
  r.date_source,
  CASE WHEN json_extract(r.findings, '$[0].kind') <> 'first_use'
    THEN json_extract(r.findings, '$[0].first_use.document_date') END AS source_date,
  json_extract(r.findings, '$[0].probability') AS probability,
  r.doubt
FROM search_results AS r JOIN searches AS s ON s.search_id = r.search_id
"""

_POSTGRESQL = f"""
CREATE VIEW {_VIEW} AS SELECT
  row_number() OVER (ORDER BY s.started_at, s.search_id, r.position) AS id,
  s.search_id AS run_identifier,
  s.requested_by AS requesting_username,
  s.started_at AS search_time_stamp,
  r.query_document,
  r.query_document AS matched_query_document,
  (SELECT coalesce(jsonb_object_agg(d ->> 'document', d -> 'score'), '{{}}')
     FROM jsonb_array_elements(r.top_docs) AS d) AS top_similar_docs,
  (r.legacy ->> 'threshold_match_count')::integer AS threshold_match_count,
  (SELECT coalesce(jsonb_object_agg(d ->> 'document', jsonb_build_object('explanatory_db_images', (
     SELECT coalesce(jsonb_object_agg(b.name, b.similarity), '{{}}') FROM (
       SELECT (d ->> 'document') || '#' || (m ->> 'page') || '/' || (m ->> 'photo') AS name,
         max((m ->> 'similarity')::double precision) AS similarity
       FROM jsonb_array_elements(d -> 'matches') AS m GROUP BY 1) AS b))), '{{}}')
     FROM jsonb_array_elements(r.top_docs) AS d) AS sim_img_check,
  r.legacy -> 'image_authenticity' AS image_authenticity,
  r.legacy ->> 'fraud_doc_probability' AS fraud_doc_probability,
  s.global_top_docs,
  r.merchant_id AS "사업자등록번호",
  {_FIELDS_POSTGRESQL},
  r.risk_score,
  r.flagged,
  r.findings -> 0 ->> 'kind' AS finding,
  CASE WHEN r.findings -> 0 ->> 'kind' <> 'first_use'
    THEN r.findings -> 0 -> 'first_use' ->> 'document' END AS source_document,
  CASE WHEN r.findings -> 0 ->> 'kind' <> 'first_use'
    THEN r.findings -> 0 -> 'first_use' ->> 'merchant_id' END AS source_merchant_id,
  r.document_date::text AS document_date,
  r.date_source,
  CASE WHEN r.findings -> 0 ->> 'kind' <> 'first_use'
    THEN r.findings -> 0 -> 'first_use' ->> 'document_date' END AS source_date,
  (r.findings -> 0 ->> 'probability')::double precision AS probability,
  r.doubt
FROM search_results AS r JOIN searches AS s ON s.search_id = r.search_id
"""


def upgrade() -> None:
    """Adds empty groups and labels; a search counts as made if it has a risk."""
    op.execute(f"DROP VIEW {_VIEW}")
    op.add_column("searches", sa.Column("changed_findings", Json, nullable=False, server_default="[]"))
    op.add_column("search_results", sa.Column("document_id", sa.Text()))
    op.add_column("search_results", sa.Column("document_date", sa.Date()))
    op.add_column("search_results", sa.Column("date_source", sa.Text()))
    op.add_column("search_results", sa.Column("searched", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("search_results", sa.Column("findings", Json, nullable=False, server_default="[]"))
    op.add_column("search_results", sa.Column("doubt", sa.Float(), nullable=False, server_default="0"))
    op.execute(sa.text("UPDATE search_results SET searched = (risk_score IS NOT NULL)"))
    op.create_index("ix_search_results_document_id", "search_results", ["document_id"])
    op.create_table(
        "photo_links",
        *(
            sa.Column(name, kind, nullable=False)
            for name, kind in (
                ("query_row", BigKey),
                ("query_photo", sa.Integer()),
                ("row_id", BigKey),
                ("photo", sa.Integer()),
                ("probability", sa.Float()),
                ("query_area", Json),
                ("area", Json),
            )
        ),
        sa.Column("pair", Json),
        sa.ForeignKeyConstraint(["query_row"], ["documents.id"], name="fk_photo_links_query_row", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["row_id"], ["documents.id"], name="fk_photo_links_row_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("query_row", "query_photo", "row_id", "photo", name="pk_photo_links"),
    )
    op.create_index("ix_photo_links_row_id", "photo_links", ["row_id"])
    op.create_table(
        "photo_groups",
        sa.Column("group_id", BigKey, nullable=False, autoincrement=True),
        sa.Column("n_photos", sa.Integer(), nullable=False),
        sa.Column("n_documents", sa.Integer(), nullable=False),
        sa.Column("n_merchants", sa.Integer(), nullable=False),
        sa.Column("first_date", sa.Date()),
        sa.PrimaryKeyConstraint("group_id", name="pk_photo_groups"),
    )
    op.create_index("ix_photo_groups_n_merchants", "photo_groups", ["n_merchants", "n_documents"])
    op.create_table(
        "photo_group_members",
        sa.Column("row_id", BigKey, nullable=False),
        sa.Column("photo", sa.Integer(), nullable=False),
        sa.Column("group_id", BigKey, nullable=False),
        sa.ForeignKeyConstraint(["row_id"], ["documents.id"], name="fk_photo_group_members_row_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["group_id"], ["photo_groups.group_id"], name="fk_photo_group_members_group_id"),
        sa.PrimaryKeyConstraint("row_id", "photo", name="pk_photo_group_members"),
    )
    op.create_index("ix_photo_group_members_group_id", "photo_group_members", ["group_id"])
    op.execute(_POSTGRESQL if op.get_bind().dialect.name == "postgresql" else _SQLITE)


def downgrade() -> None:
    """Removes groups and findings; risk and flags stay as they are."""
    op.execute(f"DROP VIEW {_VIEW}")
    op.drop_table("photo_group_members")
    op.drop_table("photo_groups")
    op.drop_table("photo_links")
    op.drop_index("ix_search_results_document_id", "search_results")
    for column in ("doubt", "findings", "searched", "date_source", "document_date", "document_id"):
        op.drop_column("search_results", column)
    op.drop_column("searches", "changed_findings")
    earlier = import_module("doc_assets.archive.ledger.migrations.versions.0006_result_view")
    op.execute(earlier._POSTGRESQL if op.get_bind().dialect.name == "postgresql" else earlier._SQLITE)
