"""Rows of a key table file, one at a time: .xlsx, .csv, .tsv, .json (an array of objects) and .ndjson.

The file comes from outside: nothing in it is run, nothing it states about itself is believed, and memory does not grow
with the number of rows. A row that cannot be used says why; a file that cannot be understood is refused as a whole.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

from doc_assets.errors import SettingsError
from doc_assets.sources.key_tables.csv_rows import ANY_WIDTH, HEADER_WITHIN, is_broken, text_format, text_rows
from doc_assets.sources.key_tables.json_rows import JsonRow, json_rows, line_rows
from doc_assets.sources.key_tables.layout import (
    Columns,
    TableLayout,
    Unusable,
    cell_text,
    column_name,
    find_columns,
    letters,
    shown_names,
    visible,
    whole_text,
)
from doc_assets.sources.key_tables.workbook import Merge, Sheet, SheetRow, Workbook

SUFFIXES = (".xlsx", ".csv", ".tsv", ".json", ".ndjson", ".jsonl")

_Row = TypeVar("_Row")
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


@dataclass(slots=True)
class Records:
    """The rows of a table.

    Attributes:
        rows: in the order of the file, read while they are taken.
        notes: what is odd about the file as a whole; complete when the last row was taken.
    """

    rows: Iterator[Record]
    notes: list[str] = field(default_factory=list)


def read_records(path: Path, layout: TableLayout) -> Records:
    """The rows of a file, read while they are taken.

    Args:
        path: its suffix names the format.
        layout: which columns mean what.

    Raises:
        SettingsError: if the file cannot be read as a table, now or while rows are taken.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        save = "; save it as Excel Workbook (.xlsx)" if suffix in _OTHER_WORKBOOKS else ""
        raise SettingsError(f"The key table {path} is none of {', '.join(SUFFIXES)}{save}.")
    if layout.sheet and suffix != ".xlsx":
        raise SettingsError(f"The key table {path} has no sheets, but sheet {layout.sheet!r} is asked for.")
    notes: list[str] = []
    if suffix == ".xlsx":
        rows = _workbook_rows(path, layout, notes)
    elif suffix in {".csv", ".tsv"}:
        rows = _text_table_rows(path, layout, notes)
    else:
        rows = _json_table_rows(path, json_rows(path) if suffix == ".json" else line_rows(path), layout)
    return Records(_guarded(path, rows), notes)


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
                said.append(f"its {visible(name)} {texts[0].reason}; left out")
        elif texts:
            if is_broken(texts[0]):
                said.append(f"its {visible(name)} holds bytes that are no text: {visible(texts[0])}")
            kept[name] = whole_text(texts[0])
    return Record(line, str(key), str(merchant), kept, fault, tuple(said))


def _cell_fault(text: str, column: str) -> str:
    if isinstance(text, Unusable):
        return f"its {visible(column)} {text.reason}"
    if is_broken(text):
        return f"its {visible(column)} holds bytes that are no text: {visible(text)}"
    return ""


# --- tables with a header


def _header(
    rows: Iterator[_Row], cells: Callable[[_Row], dict[int, str]], layout: TableLayout
) -> tuple[list[_Row], _Row | None, Columns | None]:
    """The rows above the header, the header and its columns; None for these if the first rows hold no header."""
    above: list[_Row] = []
    for row in islice(rows, HEADER_WITHIN):
        if (columns := find_columns(cells(row), layout)) is not None:
            return above, row, columns
        above.append(row)
    return above, None, None


def _no_column(layout: TableLayout, names: Iterable[str], rest: str = "") -> _NoColumnError:
    return _NoColumnError(f"has no column {visible(layout.key_column)!r}; it has {shown_names(names)}{rest}")


def _header_note(line: int, n_above: int) -> list[str]:
    return [f"its header is in line {line}; {n_above} rows above it are not read"] if n_above else []


def _text_table_rows(path: Path, layout: TableLayout, notes: list[str]) -> Iterator[Record]:
    how = text_format(path, layout)
    columns: Columns | None = None
    rows = text_rows(path, how, lambda: columns.width if columns else ANY_WIDTH)
    above, row, columns = _header(rows, lambda row: dict(enumerate(row.cells)), layout)
    if row is None or columns is None:
        if any(is_broken(cell) for row in above for cell in row.cells):
            raise ValueError("it is no text: it is neither UTF-8 nor CP949, and UTF-16 only with a mark or whole")
        raise _no_column(layout, (cell.strip() for cell in (above[0].cells if above else [])))
    if how.separator != {".csv": ",", ".tsv": "\t"}[path.suffix.lower()]:
        notes.append(how.note)
    notes += _header_note(row.line, len(above))
    for row in rows:
        if row.fault:
            yield Record(row.line, fault=row.fault)
            continue
        cells = row.cells
        if len(cells) != columns.width:
            if not any(map(cell_text, cells)):
                continue
            if len(cells) < columns.width or any(map(cell_text, cells[columns.width :])):
                yield Record(row.line, fault=_width_fault(len(cells), columns.width))
                continue
        elif not any(cells) or not any(map(cell_text, cells)):
            continue
        yield _record(
            row.line,
            layout,
            cells[columns.key],
            "" if columns.merchant is None else cells[columns.merchant],
            {name: [cells[place] for place in places] for name, places in columns.fields},
        )


def _width_fault(n_cells: int, width: int) -> str:
    why = "a separator inside a cell needs quotes around it" if n_cells > width else "a separator is missing"
    return f"it has {n_cells} cells, the header has {width}: {why}"


# --- JSON


def _json_table_rows(path: Path, rows: Iterator[JsonRow], layout: TableLayout) -> Iterator[Record]:
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
        is_named = is_named or key in by_name
        fault = _claims(by_name.get(key, ()), layout.key_column) or _claims(
            by_name.get(merchant, ()), layout.merchant_column
        )
        if fault:
            yield Record(row.line, fault=fault)
            continue
        yield _record(
            row.line,
            layout,
            by_name[key][0][1] if key in by_name else "",
            by_name[merchant][0][1] if merchant in by_name else "",
            {shown: [value for _, value in by_name[name]] for name, shown in fields.items() if name in by_name},
        )
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
        yield from _sheet_rows(sheet, book.rows(sheet), merges, layout, notes)


def _sheet_rows(
    sheet: Sheet, rows: Iterator[SheetRow], merges: list[Merge], layout: TableLayout, notes: list[str]
) -> Iterator[Record]:
    above, row, columns = _header(rows, lambda row: row.cells, layout)
    if row is None or columns is None:
        raise _no_column(layout, above[0].cells.values() if above else (), f" (sheet {visible(sheet.name)})")
    notes += _header_note(row.line, len(above))
    rows, columns = _deeper_header(row, rows, columns, merges, layout)
    needed = [columns.key, *([columns.merchant] if columns.merchant is not None else [])]
    spread = _Spread(merges, {*needed, *(place for _, places in columns.fields for place in places)})
    n_hidden = 0
    for row in rows:
        n_hidden += row.hidden
        if row.fault:
            yield Record(row.line, fault=row.fault)
            continue
        if not any(map(cell_text, row.cells.values())):
            continue
        cells, remarks = spread.seen(row.line, row.cells)
        yield _record(
            row.line,
            layout,
            cells.get(columns.key, ""),
            "" if columns.merchant is None else cells.get(columns.merchant, ""),
            {name: [cells.get(place, "") for place in places] for name, places in columns.fields},
            remarks,
        )
    if n_hidden:
        notes.append(f"{n_hidden} rows of sheet {visible(sheet.name)} are hidden; they are read too")


def _deeper_header(
    header: SheetRow, rows: Iterator[SheetRow], columns: Columns, merges: list[Merge], layout: TableLayout
) -> tuple[Iterator[SheetRow], Columns]:
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

    def __init__(self, merges: list[Merge], places: set[int]) -> None:
        self._tops: dict[int, dict[int, Merge]] = {place: {} for place in places}
        for merge in merges:
            for place in places:
                if merge.left <= place <= merge.right:
                    known = self._tops[place].get(merge.top)
                    if known is None or known.bottom < merge.bottom:
                        self._tops[place][merge.top] = merge
        self._tops = {place: tops for place, tops in self._tops.items() if tops}
        self._sorted = {place: sorted(tops) for place, tops in self._tops.items()}
        self._at = dict.fromkeys(self._tops, 0)
        self._active: dict[int, tuple[Merge, str]] = {}

    def seen(self, line: int, cells: dict[int, str]) -> tuple[dict[int, str], list[str]]:
        """What is seen in a row, and what is hidden in it; rows come in their order."""
        if not self._tops:
            return cells, []
        shown, remarks = dict(cells), []
        for place, tops in self._sorted.items():
            while self._at[place] < len(tops) and tops[self._at[place]] <= line:
                merge = self._tops[place][tops[self._at[place]]]
                self._at[place] += 1
                value = cells.get(place, "") if merge.top == line and merge.left == place else ""
                self._active[place] = (merge, value)
            if place not in self._active or line > self._active[place][0].bottom:
                continue
            merge, value = self._active[place]
            own = cells.get(place, "")
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
        return _named_sheet(book, layout)
    order = sorted(book.sheets, key=lambda sheet: sheet.hidden)
    having = [sheet for sheet in order if _has_key(book, sheet, layout)]
    listed = ", ".join(_described(sheet) for sheet in book.sheets) or "none"
    if not having:
        first = next(_first_names(book, sheet) for sheet in order) if order else []
        raise _no_column(layout, first, f"; its sheets are {listed}")
    chosen = having[0]
    others = [sheet for sheet in having[1:] if not sheet.hidden]
    if others and order[0] is not chosen:
        named = ", ".join(_described(sheet) for sheet in [chosen, *others])
        raise ValueError(
            f"{1 + len(others)} of its sheets have the column {visible(layout.key_column)}: {named}; "
            "name one with DOC_ASSETS_KEY_SHEET"
        )
    if chosen is not book.sheets[0] or chosen.hidden:
        notes.append(
            f"sheet {_described(chosen)} has the column {visible(layout.key_column)} and is read; "
            f"its sheets are {listed}"
        )
    if others:
        named = ", ".join(_described(sheet) for sheet in others)
        notes.append(
            f"only sheet {_described(chosen)} is read; {named} has the column {visible(layout.key_column)} too "
            "(DOC_ASSETS_KEY_SHEET chooses)"
        )
    return chosen


def _named_sheet(book: Workbook, layout: TableLayout) -> Sheet:
    wanted = layout.sheet.strip()
    for sheet in book.sheets:
        if sheet.name.strip() == wanted:
            return sheet
    alike = [sheet for sheet in book.sheets if column_name(sheet.name) == column_name(wanted)]
    if len(alike) == 1:
        return alike[0]
    if wanted.isdecimal() and 1 <= int(wanted) <= len(book.sheets):
        return book.sheets[int(wanted) - 1]
    raise ValueError(f"it has no sheet {wanted!r}; it has {shown_names(sheet.name for sheet in book.sheets)}")


def _described(sheet: Sheet) -> str:
    return visible(sheet.name) + (" (hidden)" if sheet.hidden else "")


def _has_key(book: Workbook, sheet: Sheet, layout: TableLayout) -> bool:
    wanted = column_name(layout.key_column)
    return any(column_name(text) == wanted for row in _first_rows(book, sheet) for text in row.cells.values())


def _first_names(book: Workbook, sheet: Sheet) -> list[str]:
    return next((list(row.cells.values()) for row in _first_rows(book, sheet)), [])


def _first_rows(book: Workbook, sheet: Sheet) -> Iterator[SheetRow]:
    return islice(book.rows(sheet), HEADER_WITHIN)
