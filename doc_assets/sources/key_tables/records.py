"""Rows of a key table file, one at a time: .xlsx, .csv, .tsv, .json (an array of objects) and .ndjson.

The file comes from outside: nothing in it is run, nothing it states about itself is believed, and memory does not grow
with the number of rows. A row that cannot be used says why; a file that cannot be understood is refused as a whole.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

from doc_assets.errors import SettingsError
from doc_assets.sources.key_tables.csv_rows import (
    ANY_WIDTH,
    HEADER_WITHIN,
    SEPARATOR_NAMES,
    SEPARATORS,
    text_format,
    text_rows,
)
from doc_assets.sources.key_tables.json_rows import JsonRow, json_rows, line_rows
from doc_assets.sources.key_tables.layout import (
    Columns,
    TableLayout,
    TableRow,
    Unusable,
    cell_text,
    column_name,
    find_columns,
    is_broken,
    letters,
    shown_names,
    visible,
    whole_text,
)
from doc_assets.sources.key_tables.workbook import Merge, Sheet, Workbook

SUFFIXES = (".xlsx", ".csv", ".tsv", ".json", ".ndjson", ".jsonl")

_OTHER_WORKBOOKS = {".xls", ".xlsb", ".xlsm", ".ods", ".numbers"}


@dataclass(slots=True)
class Record:
    """One row.

    Attributes:
        line: where it is, counted from 1 with the header; of a JSON array its place from 1.
        key: the cell that names documents; empty if there is none.
        merchant: the cell that names a merchant; empty if there is none.
        fields: text by column, as the layout calls it; empty cells are left out.
        fault: why it cannot be used; empty if it can.
        remarks: what is odd about it although it can be used.
    """

    line: int
    key: str = ""
    merchant: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    fault: str = ""
    remarks: tuple[str, ...] = ()


def read_records(path: Path, layout: TableLayout, notes: list[str]) -> Iterator[Record]:
    """The rows of a file in their order, read while they are taken.

    ``notes`` takes what is odd about the file as a whole; it is complete when the last row was taken.

    Raises:
        SettingsError: if the file cannot be read as a table, now or while rows are taken.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        save = "; save it as Excel Workbook (.xlsx)" if suffix in _OTHER_WORKBOOKS else ""
        raise SettingsError(f"The key table {path} is none of {', '.join(SUFFIXES)}{save}.")
    if layout.sheet and suffix != ".xlsx":
        raise SettingsError(f"The key table {path} has no sheets, but sheet {layout.sheet!r} is asked for.")
    if suffix == ".xlsx":
        return _guarded(path, _workbook_rows(path, layout, notes))
    if suffix in SEPARATORS:
        return _guarded(path, _text_table_rows(path, layout, notes))
    return _guarded(path, _json_table_rows(json_rows(path) if suffix == ".json" else line_rows(path), layout))


def _guarded(path: Path, rows: Iterator[Record]) -> Iterator[Record]:
    """The same rows; what reading the file may raise becomes an error that names it."""
    try:
        yield from rows
    except _NoColumnError as error:
        raise SettingsError(f"The key table {path} {error}.") from error
    except (OSError, ValueError, MemoryError, RecursionError) as error:
        raise SettingsError(f"The key table {path} cannot be read: {error or type(error).__name__}.") from error


class _NoColumnError(Exception):
    """The key column is nowhere."""


# --- one row


def _record(
    line: int,
    layout: TableLayout,
    key: str,
    merchant: str,
    fields: Mapping[str, list[str]],
    remarks: Iterable[str] = (),
) -> Record:
    """A row of its cells; what is odd about them is a fault where it names document or merchant, else a remark."""
    key, merchant = cell_text(key), cell_text(merchant)
    fault = _cell_fault(key, layout.key_column) or _cell_fault(merchant, layout.merchant_column)
    if not fault and column_name(key) == column_name(layout.key_column):
        fault = "it repeats the header"
    said: list[str] = list(remarks)
    kept: dict[str, str] = {}
    for name, cells in fields.items():
        texts = list(dict.fromkeys(text for text in map(cell_text, cells) if text))
        if len(texts) > 1:
            said.append(f"its columns {visible(name)} say different things; none of them is taken")
        elif texts and isinstance(texts[0], Unusable):
            if name != layout.merchant_column:
                said.append(f"{_cell_fault(texts[0], name)}; left out")
        elif texts:
            if broken := _cell_fault(texts[0], name):
                said.append(broken)
            kept[name] = whole_text(texts[0])
    return Record(line, str(key), str(merchant), kept, fault, tuple(said))


def _cell_fault(text: str, column: str) -> str:
    if isinstance(text, Unusable):
        return f"its {visible(column)} {text.reason}"
    if is_broken(text):
        return f"its {visible(column)} holds bytes that are no text: {visible(text)}"
    return ""


# --- tables with a header


def _record_of_cells(
    line: int, layout: TableLayout, columns: Columns, cells: Mapping[int, str], remarks: Iterable[str] = ()
) -> Record:
    merchant = "" if columns.merchant is None else cells.get(columns.merchant, "")
    fields = {name: [cells.get(place, "") for place in places] for name, places in columns.fields}
    return _record(line, layout, cells.get(columns.key, ""), merchant, fields, remarks)


def _header(
    rows: Iterator[TableRow], layout: TableLayout, notes: list[str], where: str = ""
) -> tuple[TableRow, Columns]:
    """The header among the first rows, and its columns; ``where`` ends the message if there is none."""
    above: list[TableRow] = []
    for row in islice(rows, HEADER_WITHIN):
        if (columns := find_columns(row.cells, layout)) is not None:
            if above:
                notes.append(f"its header is in line {row.line}; {len(above)} rows above it are not read")
            return row, columns
        above.append(row)
    if not where and any(is_broken(cell) for row in above for cell in row.cells.values()):
        raise ValueError("it is no text: it is neither UTF-8 nor CP949, and UTF-16 only with a mark or whole")
    raise _no_column(layout, above[0].cells.values() if above else (), where)


def _no_column(layout: TableLayout, names: Iterable[str], where: str) -> _NoColumnError:
    shown = shown_names(name.strip() for name in names)
    return _NoColumnError(f"has no column {visible(layout.key_column)!r}; it has {shown}{where}")


def _text_table_rows(path: Path, layout: TableLayout, notes: list[str]) -> Iterator[Record]:
    how = text_format(path, layout)
    if how.separator != SEPARATORS[path.suffix.lower()][0]:
        notes.append(f"cells are separated by {SEPARATOR_NAMES.get(how.separator, repr(how.separator))}")
    width = ANY_WIDTH
    rows = text_rows(path, how, lambda: width)
    _, columns = _header(rows, layout, notes)
    width = columns.width
    for row in rows:
        if row.fault:
            yield Record(row.line, fault=row.fault)
        elif any(map(cell_text, row.cells.values())):
            n = len(row.cells)
            if n < width or any(cell_text(row.cells[place]) for place in range(width, n)):
                why = "a separator inside a cell needs quotes around it" if n > width else "a separator is missing"
                yield Record(row.line, fault=f"it has {n} cells, the header has {width}: {why}")
            else:
                yield _record_of_cells(row.line, layout, columns, row.cells)


# --- JSON


def _json_table_rows(rows: Iterator[JsonRow], layout: TableLayout) -> Iterator[Record]:
    key, merchant = column_name(layout.key_column), column_name(layout.merchant_column)
    fields = {column_name(name): name for name in layout.carried}
    seen: dict[str, None] = {}
    n_rows, is_named = 0, False
    for row in rows:
        if row.fault:
            n_rows += 1
            yield Record(row.line, fault=row.fault)
            continue
        by_name: dict[str, list[tuple[str, str]]] = {}
        for name, value in row.entries:
            by_name.setdefault(column_name(name), []).append((name, value))
            if len(seen) < HEADER_WITHIN:
                seen.setdefault(whole_text(name))
        if not any(cell_text(value) for _, value in row.entries):
            continue
        n_rows += 1
        keys, merchants = by_name.get(key, []), by_name.get(merchant, [])
        is_named = is_named or bool(keys)
        fault = _claims(keys, layout.key_column) or _claims(merchants, layout.merchant_column)
        if fault:
            yield Record(row.line, fault=fault)
            continue
        shown = {name: [value for _, value in by_name[folded]] for folded, name in fields.items() if folded in by_name}
        yield _record(row.line, layout, keys[0][1] if keys else "", merchants[0][1] if merchants else "", shown)
    if seen and not is_named:
        raise _NoColumnError(
            f"has {n_rows} rows. No row has {visible(layout.key_column)!r}; they have {shown_names(seen)}"
        )


def _claims(entries: Iterable[tuple[str, str]], wanted: str) -> str:
    """Why a row is unusable whose entries claim one column with different values; empty if they do not."""
    different = dict.fromkeys(cell_text(value) for _, value in entries)
    if len(different) < 2:  # noqa: PLR2004
        return ""
    names = " and ".join(f"{visible(name)}: {visible(value)}" for name, value in entries)
    return f"{len(different)} of its entries claim to be {visible(wanted)} ({names})"


# --- workbooks


def _workbook_rows(path: Path, layout: TableLayout, notes: list[str]) -> Iterator[Record]:
    with Workbook(path) as book:
        sheet = _chosen_sheet(book, layout, notes)
        merges = book.merges(sheet)
        rows = book.rows(sheet)
        header, columns = _header(rows, layout, notes, f" (sheet {visible(sheet.name)})")
        rows, columns = _deeper_header(header, rows, columns, merges, layout)
        read = {columns.key, columns.merchant, *(place for _, places in columns.fields for place in places)}
        spread = _Spread(merges, (place for place in read if place is not None))
        n_hidden = 0
        for row in rows:
            n_hidden += row.hidden
            if row.fault:
                yield Record(row.line, fault=row.fault)
            elif any(map(cell_text, row.cells.values())):
                cells, remarks = spread.seen(row.line, row.cells)
                yield _record_of_cells(row.line, layout, columns, cells, remarks)
    if n_hidden:
        notes.append(f"{n_hidden} rows of sheet {visible(sheet.name)} are hidden; they are read too")


def _deeper_header(
    header: TableRow, rows: Iterator[TableRow], columns: Columns, merges: list[Merge], layout: TableLayout
) -> tuple[Iterator[TableRow], Columns]:
    """The rows behind the header, and its columns, where the key column's cell is merged over several rows of it."""
    over = [merge for merge in merges if merge.left <= columns.key <= merge.right]
    last = max((merge.bottom for merge in over if merge.top <= header.line <= merge.bottom), default=header.line)
    names = dict(header.cells)
    for row in rows:
        if row.line > last:
            rows = chain([row], rows)
            break
        names.update({place: name for place, name in row.cells.items() if place != columns.key})
    return rows, find_columns(names, layout) or columns


class _Spread:
    """Merged cells as people see them: a value stands in every row of its column and covers the columns beside it."""

    def __init__(self, merges: list[Merge], places: Iterable[int]) -> None:
        self._coming: dict[int, deque[Merge]] = {}
        self._active: dict[int, tuple[Merge, str]] = {}
        for place in places:
            over = [merge for merge in merges if merge.left <= place <= merge.right]
            if over:
                self._coming[place] = deque(sorted(over, key=lambda merge: (merge.top, merge.bottom)))

    def seen(self, line: int, cells: dict[int, str]) -> tuple[dict[int, str], list[str]]:
        """What is seen in a row, and what is hidden in it; rows come in their order."""
        shown, remarks = dict(cells), []
        for place, coming in self._coming.items():
            own = cells.get(place, "")
            while coming and coming[0].top <= line:
                merge = coming.popleft()
                self._active[place] = merge, own if merge.top == line and merge.left == place else ""
            if place not in self._active or line > self._active[place][0].bottom:
                continue
            merge, value = self._active[place]
            if merge.left < place:
                shown.pop(place, None)
            elif value:
                shown[place] = value
            if own and own != shown.get(place, ""):
                remarks.append(
                    f"{letters(place)}{line} lies below a merged cell; what it holds ({visible(own)}) is not seen"
                )
        return shown, remarks


def _chosen_sheet(book: Workbook, layout: TableLayout, notes: list[str]) -> Sheet:
    """The sheet that is asked for, else the first that has the key column; those that people see come first."""
    if layout.sheet:
        return _named_sheet(book, layout.sheet.strip())
    wanted, shown = column_name(layout.key_column), visible(layout.key_column)
    order = sorted(book.sheets, key=lambda sheet: sheet.hidden)

    def has_column(sheet: Sheet) -> bool:
        first_rows = islice(book.rows(sheet), HEADER_WITHIN)
        return any(column_name(text) == wanted for row in first_rows for text in row.cells.values())

    having = [sheet for sheet in order if has_column(sheet)]
    if not having:
        first = next(book.rows(order[0]), None) if order else None
        raise _no_column(layout, first.cells.values() if first else (), f"; its sheets are {_described(book.sheets)}")
    chosen = having[0]
    others = [sheet for sheet in having[1:] if not sheet.hidden]
    if others and order[0] is not chosen:
        raise ValueError(
            f"{1 + len(others)} of its sheets have the column {shown}: {_described([chosen, *others])}; "
            "name one with DOC_ASSETS_KEY_SHEET"
        )
    if chosen is not book.sheets[0] or chosen.hidden:
        notes.append(
            f"sheet {_described([chosen])} has the column {shown} and is read; its sheets are {_described(book.sheets)}"
        )
    if others:
        notes.append(
            f"only sheet {_described([chosen])} is read; {_described(others)} has the column {shown} too "
            "(DOC_ASSETS_KEY_SHEET chooses)"
        )
    return chosen


def _named_sheet(book: Workbook, wanted: str) -> Sheet:
    for sheet in book.sheets:
        if sheet.name.strip() == wanted:
            return sheet
    alike = [sheet for sheet in book.sheets if column_name(sheet.name) == column_name(wanted)]
    if len(alike) == 1:
        return alike[0]
    if wanted.isdecimal() and 1 <= int(wanted) <= len(book.sheets):
        return book.sheets[int(wanted) - 1]
    raise ValueError(f"it has no sheet {wanted!r}; it has {shown_names(sheet.name for sheet in book.sheets)}")


def _described(sheets: Iterable[Sheet]) -> str:
    named = (visible(sheet.name) + (" (hidden)" if sheet.hidden else "") for sheet in sheets)
    return ", ".join(named) or "none"
