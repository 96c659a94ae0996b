"""The view ``doc_similarity_results``: one row a run and query document, with the earlier system's columns."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text, select

from doc_assets.ledger.database import Database
from doc_assets.ledger.schema import Json, Search, UtcDateTime

RESULT_VIEW = Table(
    "doc_similarity_results",
    MetaData(),  # its own: to the migrations it is no table
    Column("id", BigInteger),
    Column("run_identifier", Text),
    Column("requesting_username", Text),
    Column("search_time_stamp", UtcDateTime),
    Column("query_document", Text),
    Column("matched_query_document", Text),
    Column("top_similar_docs", Json),
    Column("threshold_match_count", Integer),
    Column("sim_img_check", Json),
    Column("image_authenticity", Json),
    Column("fraud_doc_probability", Text),
    Column("global_top_docs", Json),
    *(Column(name, Text) for name in ("사업자등록번호", "수신일자", "업종명", "가맹점상호명", "구분")),
)
EXPORTED = tuple(column.name for column in RESULT_VIEW.columns if column.name != "id")
"""Columns of an export, in the earlier system's order."""

_ROWS_AT_ONCE = 500


def read_results(
    database: Database, *, search_ids: Sequence[str] | None = None, since: datetime | None = None
) -> Iterator[dict[str, Any]]:
    """Rows of the view in order, a few hundred in memory at a time.

    Args:
        database: the ledger's.
        search_ids: of these searches only.
        since: of searches that began then or later.
    """
    query = select(*(RESULT_VIEW.c[name] for name in EXPORTED)).order_by(RESULT_VIEW.c.id)
    if search_ids is not None:
        query = query.where(RESULT_VIEW.c.run_identifier.in_(search_ids))
    if since is not None:
        begun = select(Search.search_id).where(Search.started_at >= since)
        query = query.where(RESULT_VIEW.c.run_identifier.in_(begun))
    with database.reading() as connection:
        rows = connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(query)
        yield from (dict(row) for row in rows.mappings())
