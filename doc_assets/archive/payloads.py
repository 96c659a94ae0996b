"""A photo's payload as a flat row: the same columns in every table of photos and in the vector store."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from upath import UPath

from doc_assets.archive.tables import read_rows
from doc_assets.datatypes import Box, DocumentDate, PhotoKey, PhotoPayload
from doc_assets.sources.merchants import merchant_id

PAYLOAD_FIELDS = [
    pa.field("document_id", pa.string(), nullable=False),
    pa.field("file_name", pa.string(), nullable=False),
    pa.field("sha256", pa.string(), nullable=False),
    pa.field("drop", pa.string(), nullable=False),
    pa.field("merchant_id", pa.string()),
    pa.field("page_index", pa.int32(), nullable=False),
    pa.field("photo_index", pa.int32(), nullable=False),
    pa.field("box", pa.list_(pa.int32(), 4), nullable=False),
]

PAYLOAD_COLUMNS = [field.name for field in PAYLOAD_FIELDS]

DATE_FIELDS = [pa.field("document_date", pa.string()), pa.field("date_source", pa.string())]
"""What points carry beside ``PAYLOAD_FIELDS``, as a table; empty for points without a date."""


def payload_row(payload: PhotoPayload) -> dict[str, Any]:
    """The payload as columns of ``PAYLOAD_FIELDS``."""
    return {name: getattr(payload, name) for name in PAYLOAD_COLUMNS} | {"box": payload.box.as_list()}


def point_row(payload: PhotoPayload) -> dict[str, Any]:
    """The payload as a point of the vector store carries it: with the date, which tables of photos leave to the ledger.

    A date may become known later (a key table that is given afterwards); points are written again then, tables are not.
    """
    date = payload.date
    dated = {"document_date": date.day.isoformat(), "date_source": date.source} if date is not None else {}
    return {**payload_row(payload), **dated}


def payload_from_row(row: dict[str, Any]) -> PhotoPayload:
    """The reverse of ``payload_row`` and ``point_row``; further columns are ignored."""
    values = {name: row[name] for name in PAYLOAD_COLUMNS}
    values["box"] = Box(*values["box"])
    values["merchant_id"] = merchant_id(values["merchant_id"])  # written before numbers were normalised
    return PhotoPayload(**values, date=DocumentDate.stored(row.get("document_date"), row.get("date_source")))


def read_keys(path: UPath) -> list[PhotoKey]:
    """Which photo every row of a table is about."""
    return [PhotoKey(**row) for row in read_rows(path, ["document_id", "page_index", "photo_index"], batch_rows=4096)]


def read_payloads(path: UPath) -> Iterator[PhotoPayload]:
    """Which photos a table is about, without the rest of its columns."""
    return map(payload_from_row, read_rows(path, PAYLOAD_COLUMNS, batch_rows=4096))
