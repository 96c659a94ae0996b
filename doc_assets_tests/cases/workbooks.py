"""Workbooks written part by part, so that a test decides what a file states about itself."""

import zipfile
from pathlib import Path

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"

HEADER = ("파일명", "사업자등록번호", "가맹점상호명", "수신일자")
DATE_STYLE = 1


def text_cell(text):
    """A cell with its text inside."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    return f't="inlineStr"><is><t xml:space="preserve">{escaped}</t></is>'


def number_cell(value, style=0):
    """A number in a style of ``write_book``."""
    return f's="{style}"><v>{value}</v>'


def cell_xml(value):
    """A cell of a text, a number, None, or the inner XML that begins with its attributes."""
    if isinstance(value, str) and value.endswith(">"):
        return value
    return number_cell(value) if isinstance(value, int | float) else text_cell(value)


def rows_xml(rows, first=1):
    """Rows of cells as a sheet holds them."""
    lines = []
    for number, row in enumerate(rows, start=first):
        cells = [
            f'<c r="{chr(65 + place)}{number}" {cell_xml(value)}</c>'
            for place, value in enumerate(row)
            if value is not None
        ]
        lines.append(f'<row r="{number}">{"".join(cells)}</row>')
    return "".join(lines)


def usual_rows(n=6):
    """Keys DOC00001 and on, merchants 1208147501 and on, days of January 2024."""
    return [
        (f"DOC{i:05d}", 1208147500 + i, f"상점{i}", f's="{DATE_STYLE}"><v>{45291 + i}</v>') for i in range(1, n + 1)
    ]


def sheet_xml(content, before="", behind="", space=MAIN):
    """A sheet's XML around its rows."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><worksheet xmlns="{space}" xmlns:r="{RELS}">{before}'
        f"<sheetData>{content}</sheetData>{behind}</worksheet>"
    )


def write_book(path: Path, *sheets, formats=(), strings=None, prefix="xl/", date1904=False, more=(), rels_prefix=""):
    """Writes a workbook.

    Args:
        path: the file.
        sheets: XML, or (name, XML), or (name, XML, state).
        formats: number formats; style 1 is yyyy-mm-dd, style 2 the first of these, and so on.
        strings: shared strings as XML of their items.
        prefix: folder of the parts.
        date1904: whether days are counted from 1904.
        more: further parts, name and bytes.
        rels_prefix: before the targets of relations.
    """
    codes = ["yyyy\\-mm\\-dd", *formats]
    named = [(f"Sheet{i}", sheet) if isinstance(sheet, str) else sheet for i, sheet in enumerate(sheets, start=1)]
    escaped = [code.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;") for code in codes]
    styles = (
        f'<styleSheet xmlns="{MAIN}"><numFmts>'
        + "".join(f'<numFmt numFmtId="{164 + i}" formatCode="{code}"/>' for i, code in enumerate(escaped))
        + '</numFmts><cellStyleXfs><xf numFmtId="9"/><xf numFmtId="9"/></cellStyleXfs><cellXfs><xf numFmtId="0"/>'
        + "".join(f'<xf numFmtId="{164 + i}"/>' for i in range(len(codes)))
        + "</cellXfs></styleSheet>"
    )
    listed = "".join(
        f'<sheet name="{sheet[0]}" sheetId="{i}" r:id="rId{i}"{_state(sheet)}/>'
        for i, sheet in enumerate(named, start=1)
    )
    book = (
        f'<workbook xmlns="{MAIN}" xmlns:r="{RELS}"><workbookPr date1904="{int(date1904)}"/>'
        f"<sheets>{listed}</sheets></workbook>"
    )
    relations = "".join(
        f'<Relationship Id="rId{i}" Type="{RELS}/worksheet" Target="{rels_prefix}worksheets/sheet{i}.xml"/>'
        for i in range(1, len(named) + 1)
    )
    relations += f'<Relationship Id="rIdS" Type="{RELS}/styles" Target="{rels_prefix}styles.xml"/>'
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{PACKAGE}"><Relationship Id="rId1" Type="{RELS}/officeDocument" '
            f'Target="{prefix}workbook.xml"/></Relationships>',
        )
        archive.writestr(f"{prefix}workbook.xml", book)
        if strings is not None:
            relations += (
                f'<Relationship Id="rIdT" Type="{RELS}/sharedStrings" Target="{rels_prefix}sharedStrings.xml"/>'
            )
            archive.writestr(
                f"{prefix}sharedStrings.xml", f'<sst xmlns="{MAIN}" count="1" uniqueCount="1">{strings}</sst>'
            )
        archive.writestr(
            f"{prefix}_rels/workbook.xml.rels", f'<Relationships xmlns="{PACKAGE}">{relations}</Relationships>'
        )
        archive.writestr(f"{prefix}styles.xml", styles)
        for i, sheet in enumerate(named, start=1):
            archive.writestr(f"{prefix}worksheets/sheet{i}.xml", sheet[1])
        for name, content in more:
            archive.writestr(name, content)
    return path


def _state(sheet):
    return f' state="{sheet[2]}"' if len(sheet) > 2 else ""
