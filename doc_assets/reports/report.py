"""Reports that a reviewer opens: one page a document with its evidence, one page that ranks them all.

Each page stands alone: no script, no link outside, pictures inside; Korean first, English at ``#en``.
"""

import base64
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Protocol

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from upath import UPath

from doc_assets.archive.ledger.results import ChangedFinding, FoundDocument, PhotoPair, ResultRecord
from doc_assets.archive.ledger.searches import SearchRecord
from doc_assets.archive.pictures import PageView
from doc_assets.datatypes import RgbImage
from doc_assets.errors import InputError
from doc_assets.photos.cutting import encode_jpeg
from doc_assets.reports.pair_picture import PairPictures, draw_archive_side, draw_pair
from doc_assets.reports.safe_names import result_stem
from doc_assets.reports.wording import DATE_SOURCES, FINDINGS, Text, reasons, said_of, source_of
from doc_assets.util.files import write_atomic
from doc_assets.util.isolation import Failure, attempt
from doc_assets.util.progress import track
from doc_assets.util.visible import visible_value

INDEX_NAME = "report.html"
_MAX_PAIRS = 12
_MOST_NAMED = 10
_QUALITY = 82
_PRIVATE = Text(
    "개인정보 보호 모드: 검색한 문서의 사진은 저장하지 않음",
    "Privacy mode: no picture of the searched document is kept",
)
_NO_TRANSFORM = Text(
    "전체 모양으로만 판단함 (일치점 부족)", "Judged by the whole picture only (too few keypoints agree)"
)
_GONE = Text("사진을 더는 찾을 수 없음", "The photo is no longer there")


class Pictures(Protocol):
    """Where a document's photos and pages are looked up; None for what is not there."""

    def photo(self, file_name: str, photo_index: int) -> RgbImage | None:
        """A photo by its place in the document, from 0."""

    def page(self, file_name: str, page_index: int) -> PageView | None:
        """A page, from 0."""


@dataclass(frozen=True, slots=True)
class PictureSources:
    """Where pictures come from.

    Attributes:
        queries: of the query documents, by their name in the results; None if none are kept.
        archive: of everything else.
    """

    queries: Pictures | None
    archive: Pictures


def write_reports(
    search: SearchRecord,
    results: Sequence[ResultRecord],
    folder: Path,
    title: str,
    sources: PictureSources,
    changed: Sequence[ChangedFinding] = (),
    only: Collection[str] | None = None,
) -> Path:
    """Writes a page for every document of whose photos something is to be said, and the page that ranks them all.

    Returns:
        The path of the latter.

    Args:
        search: whose results they are.
        results: of its query documents.
        folder: for the pages.
        title: of the page that ranks them.
        sources: of pictures.
        changed: documents of other drops whose finding changed with this one; the ranking page names them.
        only: query documents whose pages are written, the others' stay as they are; all by default.

    Raises:
        InputError: if a document's page could not be made; the others and the ranking are written before.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ordered = sorted(results, key=lambda r: (-(-1.0 if r.risk_score is None else r.risk_score), r.position))
    rows = []
    broken: list[int] = []
    for result in track(ordered, "evidence", len(ordered)):
        link = None
        if _matched(result):
            link = f"evidence/{result_stem(result.query_document)}.html"
            if only is None or result.query_document in only:
                page = partial(_write_page, folder / link, search, result, sources)
                made = attempt(f"page of result {result.position + 1} of search {search.search_id}", page)
                if isinstance(made, Failure):
                    link = None
                    broken.append(result.position + 1)
        rows.append({"result": result, "reasons": reasons(result), "link": link})
    path = folder / INDEX_NAME
    content = (
        _templates()
        .get_template("index.html")
        .render(
            search=search,
            title=title,
            rows=rows,
            n_flagged=sum(result.flagged for result in results),
            n_unsearched=sum(result.risk_score is None for result in results),
            changed=changed,
            findings=FINDINGS,
        )
    )
    write_atomic(UPath(path), content.encode())
    if broken:
        numbers = ", ".join(map(str, broken[:_MOST_NAMED]))
        raise InputError(
            f"{len(broken)} pages of the report could not be made (results {numbers}; the log says where it broke). "
            f"Everything else is in {path}."
        )
    return path


def _write_page(path: Path, search: SearchRecord, result: ResultRecord, sources: PictureSources) -> None:
    write_atomic(UPath(path), document_page(search, result, sources).encode())


def document_page(search: SearchRecord, result: ResultRecord, sources: PictureSources) -> str:
    """One document's verdict, reasons and evidence as HTML."""
    matched = _matched(result)
    return (
        _templates()
        .get_template("document.html")
        .render(
            search=search,
            result=result,
            reasons=reasons(result),
            pairs=[_shown(result, match, pair, sources) for match, pair in matched[:_MAX_PAIRS]],
            more=max(0, len(matched) - _MAX_PAIRS),
            date_sources=DATE_SOURCES,
            others=[found for found in result.top_docs if not found.speaks],
        )
    )


def _matched(result: ResultRecord) -> list[tuple[FoundDocument, PhotoPair]]:
    """Pairs of which something is to be said: those of documents that count, the other matched ones, the rest.

    What a form prints stands in all documents that use it; one of them is enough.
    """
    pairs = [(found, pair) for found in result.top_docs for pair in found.matches if pair.is_shown]
    forms = {pair.query_photo: (found, pair) for found, pair in reversed(pairs) if pair.kind == "form_picture"}
    kept = [each for each in pairs if each[1].kind != "form_picture"] + list(forms.values())
    return sorted(kept, key=lambda each: (not each[0].counts, not each[1].matched, each[1].kind == "form_picture"))


@dataclass(frozen=True, slots=True)
class _ShownPair:
    """A pair as a document's page shows it.

    Attributes:
        pair: itself.
        document, source: name of the found document, and with its merchant and date.
        changes: what was done to the photo, or why the two are alike.
        sign: = between two uses of one photograph, ~ between others.
        image, why_no_image: its picture as base64, and why there is none, or none of both sides.
    """

    pair: PhotoPair
    document: str
    source: Text
    changes: list[Text]
    sign: str
    image: str | None
    why_no_image: Text | None


def _shown(result: ResultRecord, match: FoundDocument, pair: PhotoPair, sources: PictureSources) -> _ShownPair:
    unit = f"picture of a pair of result {result.position + 1}"
    drawn = attempt(unit, partial(_image, result, match, pair, sources))
    if isinstance(drawn, Failure):
        drawn = None, Text(f"그림을 만들 수 없음: {drawn.reason}", f"The picture could not be drawn: {drawn.reason}")
    sign = "=" if pair.kind in {None, "same_photograph"} else "~"
    return _ShownPair(pair, match.document, source_of(match), said_of(pair), sign, *drawn)


def _image(
    result: ResultRecord, match: FoundDocument, pair: PhotoPair, sources: PictureSources
) -> tuple[str | None, Text | None]:
    """The pair's picture as base64, or why there is none."""
    known = sources.queries if match.same_batch else sources.archive
    if known is None:
        return None, _PRIVATE
    archive = known.photo(match.document, pair.photo)
    if archive is None:
        return None, _GONE
    page = known.page(match.document, pair.page - 1)
    if sources.queries is None:
        return _encoded(draw_archive_side(archive, page, pair, match.document)), _PRIVATE
    query = sources.queries.photo(result.query_document, pair.query_photo)
    if query is None:
        return _encoded(draw_archive_side(archive, page, pair, match.document)), _GONE
    query_page = sources.queries.page(result.query_document, pair.query_page - 1)
    pictures = PairPictures(query, archive, query_page, page)
    drawn = draw_pair(pictures, pair, (result.query_document, match.document))
    return _encoded(drawn), None if pair.transform is not None else _NO_TRANSFORM


def _encoded(picture: RgbImage) -> str:
    return base64.b64encode(encode_jpeg(picture, _QUALITY)).decode("ascii")


@lru_cache(maxsize=1)
def _templates() -> Environment:
    loader = PackageLoader("doc_assets.reports", "templates")
    return Environment(
        loader=loader,
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=visible_value,  # every value that a page shows
    )
