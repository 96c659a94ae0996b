"""The view ``doc_similarity_results`` as a program that reads the database sees it."""

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, MetaData, Table, Text, select

from doc_assets.archive.ledger.database import Database
from doc_assets.archive.ledger.schema import Json, UtcDateTime
from doc_assets.archive.ledger.searches import EARLIER_COLUMNS, KEY_FIELDS

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
    *(Column(name, Text) for name in KEY_FIELDS),
    Column("risk_score", Float),
    Column("flagged", Boolean),
    Column("finding", Text),
    Column("source_document", Text),
    Column("source_merchant_id", Text),
    Column("document_date", Text),
    Column("date_source", Text),
    Column("source_date", Text),
    Column("probability", Float),
    Column("doubt", Float),
)
_COLUMNS = tuple(column.name for column in RESULT_VIEW.columns)
assert _COLUMNS[1 : _COLUMNS.index("risk_score")] == EARLIER_COLUMNS


def read_view(database: Database) -> list[dict[str, Any]]:
    query = select(*(RESULT_VIEW.c[name] for name in _COLUMNS[1:])).order_by(RESULT_VIEW.c.id)
    with database.reading() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]
