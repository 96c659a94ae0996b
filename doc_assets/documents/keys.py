"""Key tables: which merchant a document belongs to, from an Excel or CSV file.

A key names a document as the merchant's file system does; the archive's files carry a token before the last signs and
a number behind: ``N2024...THA00001`` is stored as ``N2024...THA00100001_12.tif``.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from doc_assets.documents.names import document_id
from doc_assets.errors import SettingsError

KEY_COLUMN = "파일명"
MERCHANT_COLUMN = "사업자등록번호"
_TAIL_SIGNS = 5
_INSERTED = "001"
_NUMBERED = re.compile(r"_\d+$")
_ENCODINGS = ("utf-8-sig", "cp949")
_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_NOT_TEXT = (b"\0", b"PK\x03\x04")


@dataclass(frozen=True, slots=True)
class MerchantTable:
    """Merchants by key.

    Attributes:
        merchants: merchant id by normalised key.
        faults: rows that name no merchant, or another one than an earlier row of the same key; by line.
    """

    merchants: dict[str, str]
    faults: tuple[str, ...]

    def merchant_of(self, name: str) -> str | None:
        """The merchant of the document of that id, by its name or by the key it was stored under; None if unknown."""
        for key in (name, *_keys_stored_as(name)):
            found = self.merchants.get(normalised(key))
            if found is not None:
                return found
        return None


def read_merchants(path: Path, key_column: str = KEY_COLUMN, merchant_column: str = MERCHANT_COLUMN) -> MerchantTable:
    """Reads a key table; rows that cannot be used are listed, not dropped.

    Args:
        path: .xlsx, .csv or .tsv; text is UTF-8 or CP949.
        key_column: names documents.
        merchant_column: names merchants.

    Raises:
        SettingsError: if the file cannot be read as a table or lacks one of the columns.
    """
    rows = iter(_rows(path))
    header = [str(cell or "").strip() for cell in next(rows, ())]
    for column in (key_column, merchant_column):
        if column not in header:
            raise SettingsError(f"The key table {path} has no column {column!r}; it has {', '.join(header) or 'none'}.")
    at_key, at_merchant = header.index(key_column), header.index(merchant_column)
    merchants: dict[str, str] = {}
    faults = []
    for line, row in enumerate(rows, start=2):
        cells = [str(cell).strip() if cell is not None else "" for cell in row]
        if not any(cells):
            continue
        key, merchant = (cells[at] if at < len(cells) else "" for at in (at_key, at_merchant))
        if not key or not merchant:
            faults.append(f"line {line}: {key_column} {key!r} has {merchant_column} {merchant!r}")
        elif merchants.setdefault(normalised(document_id(key)), merchant) != merchant:
            faults.append(f"line {line}: {key} belongs to {merchants[normalised(document_id(key))]} and to {merchant}")
    return MerchantTable(merchants, tuple(faults))


MerchantOf = Callable[[str], str | None]
"""Document id -> merchant, None if unknown."""


def unknown_merchant(_document_id: str) -> None:
    """No merchant is known."""
    return


def merchants_in(path: Path | None) -> MerchantOf:
    """Document id -> merchant by a key table that is read again when it has changed; knows none without a table.

    Raises:
        SettingsError: as ``read_merchants``.
    """
    if path is None:
        return unknown_merchant
    try:
        stat = path.stat()
    except OSError as error:
        raise SettingsError(f"The key table {path} cannot be read: {error}") from error
    return _read_once(path, stat.st_size, stat.st_mtime_ns).merchant_of


@lru_cache(maxsize=2)
def _read_once(path: Path, _size_bytes: int, _mtime_ns: int) -> MerchantTable:
    return read_merchants(path)


def normalised(key: str) -> str:
    """The same text for keys that differ in case, width or composition only."""
    return unicodedata.normalize("NFKC", key).strip().casefold()


def _keys_stored_as(name: str) -> Iterator[str]:
    """Keys whose documents are stored under ``name``."""
    stem = _NUMBERED.sub("", name)
    token, tail = stem[-len(_INSERTED) - _TAIL_SIGNS : -_TAIL_SIGNS], stem[-_TAIL_SIGNS:]
    if token == _INSERTED:
        yield stem[: -len(_INSERTED) - _TAIL_SIGNS] + tail
    if stem != name:
        yield stem


def _rows(path: Path) -> Iterator[Sequence[Any]]:
    try:
        if path.suffix.lower() == ".xlsx":
            yield from _excel_rows(path)
        elif path.suffix.lower() in _SEPARATORS:
            text = _decoded(path)
            yield from csv.reader(io.StringIO(text, newline=""), delimiter=_SEPARATORS[path.suffix.lower()])
        else:
            raise SettingsError(f"The key table {path} is no .xlsx, .csv or .tsv file.")
    except (OSError, csv.Error) as error:
        raise SettingsError(f"The key table {path} cannot be read: {error}") from error


def _excel_rows(path: Path) -> Iterator[Sequence[Any]]:
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (BadZipFile, KeyError, ValueError, TypeError) as error:
        raise SettingsError(f"The key table {path} is no Excel workbook: {error}") from error
    try:
        yield from book.worksheets[0].iter_rows(values_only=True)
    finally:
        book.close()


def _decoded(path: Path) -> str:
    content = path.read_bytes()
    if any(mark in content[:4096] for mark in _NOT_TEXT):
        raise SettingsError(f"The key table {path} is no text.")
    for encoding in _ENCODINGS:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise SettingsError(f"The key table {path} is neither UTF-8 nor CP949.")
