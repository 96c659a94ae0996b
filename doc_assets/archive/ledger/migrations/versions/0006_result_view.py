"""The earlier system's table of results, as a view."""

import sqlalchemy as sa
from alembic import op

from doc_assets.archive.ledger.schema import Json

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_VIEW = "doc_similarity_results"

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
     SELECT json_group_object(
       json_extract(d.value, '$.document') || '#' || json_extract(m.value, '$.page') || '/'
         || json_extract(m.value, '$.photo'),
       json_extract(m.value, '$.similarity'))
     FROM json_each(d.value, '$.matches') AS m)))
     FROM json_each(r.top_docs) AS d) AS sim_img_check,
  json_extract(r.legacy, '$.image_authenticity') AS image_authenticity,
  json_extract(r.legacy, '$.fraud_doc_probability') AS fraud_doc_probability,
  s.global_top_docs,
  r.merchant_id AS "사업자등록번호",
  (SELECT f.value FROM json_each(r.fields) AS f WHERE f.key = '수신일자') AS "수신일자",
  (SELECT f.value FROM json_each(r.fields) AS f WHERE f.key = '업종명') AS "업종명",
  (SELECT f.value FROM json_each(r.fields) AS f WHERE f.key = '가맹점상호명') AS "가맹점상호명",
  (SELECT f.value FROM json_each(r.fields) AS f WHERE f.key = '구분') AS "구분"
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
     SELECT coalesce(jsonb_object_agg(
       (d ->> 'document') || '#' || (m ->> 'page') || '/' || (m ->> 'photo'), m -> 'similarity'), '{{}}')
     FROM jsonb_array_elements(d -> 'matches') AS m))), '{{}}')
     FROM jsonb_array_elements(r.top_docs) AS d) AS sim_img_check,
  r.legacy -> 'image_authenticity' AS image_authenticity,
  r.legacy ->> 'fraud_doc_probability' AS fraud_doc_probability,
  s.global_top_docs,
  r.merchant_id AS "사업자등록번호",
  r.fields ->> '수신일자' AS "수신일자",
  r.fields ->> '업종명' AS "업종명",
  r.fields ->> '가맹점상호명' AS "가맹점상호명",
  r.fields ->> '구분' AS "구분"
FROM search_results AS r JOIN searches AS s ON s.search_id = r.search_id
"""


def upgrade() -> None:
    """Adds who asked and the best documents of a search, unknown for earlier ones, and makes the view."""
    op.add_column("searches", sa.Column("requested_by", sa.Text()))
    op.add_column("searches", sa.Column("global_top_docs", Json))
    op.execute(_POSTGRESQL if op.get_bind().dialect.name == "postgresql" else _SQLITE)


def downgrade() -> None:
    """Removes the view and what it needs."""
    op.execute(f"DROP VIEW {_VIEW}")
    for column in ("global_top_docs", "requested_by"):
        op.drop_column("searches", column)
