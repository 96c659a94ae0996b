"""Text of the pages of a chunk of documents as one Parquet file."""

from collections.abc import Iterable

import pyarrow as pa
from upath import UPath

from doc_assets.archive.tables import Stamp, table_writer
from doc_assets.datatypes import PageText

PAGE_TEXT_SCHEMA = pa.schema(
    [
        pa.field("document_id", pa.string(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("page_index", pa.int32(), nullable=False),
        pa.field("zone", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("confidence", pa.float32(), nullable=False),
        pa.field("quarter_turns", pa.int8(), nullable=False),
        pa.field("engine", pa.string(), nullable=False),
    ]
)


def write_page_texts(path: UPath, stamp: Stamp, engine_id: str, rows: Iterable[tuple[str, str, PageText]]) -> None:
    """Writes a shard; each row is a document's id, its digest, and the text of one zone of a page."""
    with table_writer(path, PAGE_TEXT_SCHEMA, stamp, group_rows=1024) as table:
        for document_id, sha256, text in rows:
            table.add(
                {
                    "document_id": document_id,
                    "sha256": sha256,
                    "page_index": text.page_index,
                    "zone": text.zone,
                    "text": text.text,
                    "confidence": text.confidence,
                    "quarter_turns": text.quarter_turns,
                    "engine": engine_id,
                }
            )
