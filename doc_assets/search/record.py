"""A search's answer to one query document as a value: the facts of its ranking; labels are made by ``findings``."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from doc_assets.archive.ledger.results import (
    Area,
    EarlierFields,
    FoundDocument,
    Overlap,
    PhotoPair,
    Relation,
    ResultRecord,
    SearchFault,
)
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.ledger.search_settings import SearchRequest
from doc_assets.datatypes import Changes, DocumentDate, Likeness, LikenessTraits
from doc_assets.faults import DocumentState
from doc_assets.search.query import QueryDocument
from doc_assets.search.ranking import DocumentMatch, PhotoMatch
from doc_assets.search.verify.geometry import Alignment, Polygon, changes_of

Measures = TypeVar("Measures", Changes, Likeness, LikenessTraits)

MAX_LINES = 24
"""Keypoint pairs kept of a pair, for its picture."""
KEPT_FROM = 0.1
"""A pair of at least this probability is kept with all that is known of it, so that another threshold can match it."""


def result_record(
    label: str,
    position: int,
    query: QueryDocument,
    found: Sequence[FoundDocument],
    elapsed_s: float,
    *,
    searched: bool = True,
    faults: Sequence[SearchFault] = (),
) -> ResultRecord:
    """The answer to one query document, not labelled yet; one that was not ``searched`` for at all has no risk."""
    error = query.error
    if error is None and not query.photos and query.state == DocumentState.OK:
        error = "No photo was found on its pages."
    classes = {f"{query.document_id}_q_{photo.crop.photo_index}.jpg": "unknown" for photo in query.photos}
    return ResultRecord(
        query_document=label,
        document_id=query.document_id,
        position=position,
        merchant_id=query.merchant_id,
        document_date=query.date.day if query.date else None,
        date_source=query.date.source if query.date else None,
        state=query.state,
        error=error,
        n_photos=len(query.photos),
        elapsed_s=round(elapsed_s, 3),
        top_docs=tuple(found),
        legacy=EarlierFields(image_authenticity=classes),
        fields=query.fields,
        faults=tuple(faults),
        searched=searched and query.state.is_readable,
    )


def found_documents(
    ranking: Sequence[DocumentMatch],
    query: QueryDocument,
    request: SearchRequest,
    dates: Mapping[str, DocumentDate],
    own_drop: str | None = None,
) -> Iterator[FoundDocument]:
    """The best documents, and beyond them every identical one and every one with a pair that may come to match.

    ``dates`` are those of the found documents by id, ``own_drop`` is the query document's if it is in the archive.
    """
    for rank, match in enumerate(ranking):
        is_reported = rank < request.top_doc or match.exact_duplicate or match.n_matched_photos(request) > 0
        if is_reported or any(pair.looked_at and _may_match(pair) for pair in match.matches):
            yield _found(match, query, own_drop, dates.get(match.document_id))


def archived_find(document: Document, pairs: Sequence[PhotoPair], score: float, *, is_exact: bool) -> FoundDocument:
    """A document of the archive that was found otherwise than by a ranking."""
    return FoundDocument(
        document=document.file_name,
        document_id=document.document_id,
        merchant_id=document.merchant_id,
        document_date=document.document_date,
        date_source=document.date_source,
        drop=document.drop_key,
        relation="archive",
        score=score,
        exact_duplicate=is_exact,
        same_batch=False,
        matches=tuple(pairs),
    )


def _may_match(pair: PhotoMatch) -> bool:
    return pair.probability is not None and pair.probability >= KEPT_FROM


def _found(
    match: DocumentMatch, query: QueryDocument, own_drop: str | None, dated: DocumentDate | None
) -> FoundDocument:
    relation: Relation = "archive"
    if match.same_batch:
        relation = "same_batch"
    elif own_drop is not None and match.drop == own_drop:
        relation = "same_drop"
    return FoundDocument(
        document=match.file_name,
        document_id=match.document_id,
        merchant_id=match.merchant_id,
        document_date=dated.day if dated else None,
        date_source=dated.source if dated else None,
        drop=None if match.same_batch else match.drop,
        relation=relation,
        score=round(match.score, 6),
        exact_duplicate=match.exact_duplicate,
        same_batch=match.same_batch,
        matches=tuple(photo_pair(pair, query) for pair in match.matches),
    )


def photo_pair(pair: PhotoMatch, query: QueryDocument) -> PhotoPair:
    """A photo pair as it stands in a result; whether it matches is a label."""
    crop = query.photos[pair.query_photo].crop
    found = PhotoPair(
        query_page=crop.page_index + 1,
        query_photo=crop.photo_index,
        query_box=tuple(crop.box.as_list()),
        page=pair.payload.page_index + 1,
        photo=pair.payload.photo_index,
        box=tuple(pair.payload.box.as_list()),
        matched=False,
        similarity=round(pair.similarity, 6),
        quarter_turns=pair.view.quarter_turns,
        mirrored=pair.view.mirrored,
        probability=None if pair.probability is None else round(pair.probability, 6),
        inliers=None if not pair.looked_at else pair.alignment.inliers if pair.alignment else 0,
        looks=pair.looks,
        colours=pair.colours,
        uncalibrated=None if pair.uncalibrated is None else round(pair.uncalibrated, 6),
    )
    alignment = pair.alignment
    if alignment is None:
        return found
    found = replace(found, overlap=_overlap(alignment))
    if pair.likeness is None and not _may_match(pair):
        return found
    likeness = pair.likeness
    if likeness is not None:
        likeness = replace(_rounded(likeness, 6), traits=_rounded(likeness.traits, 4))
    return replace(
        found,
        likeness=likeness,
        changes=_rounded(changes_of(alignment, crop.box, pair.payload.box), 3),
        transform=tuple(tuple(round(float(value), 8) for value in row) for row in alignment.transform),
        lines=tuple(tuple(round(float(at), 4) for at in line) for line in alignment.lines[:MAX_LINES]),
    )


def _overlap(alignment: Alignment) -> Overlap:
    return Overlap(
        query_share=round(alignment.query_share, 4),
        share=round(alignment.archive_share, 4),
        query_area=_rounded_area(alignment.query_area),
        area=_rounded_area(alignment.archive_area),
        agreement=round(alignment.appearance.agreement, 4),
    )


def _rounded_area(area: Polygon) -> Area:
    return tuple((round(x, 4), round(y, 4)) for x, y in area)


def _rounded(measures: Measures, digits: int) -> Measures:
    """A data class with its own fractions rounded."""
    values: dict[str, Any] = {each.name: getattr(measures, each.name) for each in fields(measures)}
    values |= {name: round(each, digits) for name, each in values.items() if isinstance(each, float)}
    return replace(measures, **values)
