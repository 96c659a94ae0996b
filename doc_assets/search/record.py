"""A search's answer to one query document as a value: the facts of its ranking; labels are made by ``findings``."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace

from doc_assets.archive.ledger.results import FoundDocument, Overlap, PhotoPair, Relation, ResultRecord
from doc_assets.datatypes import Changes, DocumentDate, Likeness, LikenessTraits
from doc_assets.faults import DocumentState
from doc_assets.search.faults import SearchFault
from doc_assets.search.query import QueryDocument
from doc_assets.search.ranking import DocumentMatch, PhotoMatch
from doc_assets.search.request import SearchRequest
from doc_assets.search.verify.changes import changes_of
from doc_assets.search.verify.geometry import Alignment, Polygon

MAX_LINES = 24
"""Keypoint pairs kept of a pair, for its picture."""
KEPT_FROM = 0.1
"""A pair of at least this probability is kept with all that is known of it, so that another threshold can match it."""


def result_record(
    label: str,
    position: int,
    query: QueryDocument,
    ranking: Sequence[DocumentMatch],
    request: SearchRequest,
    elapsed_s: float,
    own_drop: str | None = None,
    *,
    dates: Mapping[str, DocumentDate],
    searched: bool = True,
    faults: Sequence[SearchFault] = (),
) -> ResultRecord:
    """The answer to one query document, not labelled yet.

    Args:
        label: names it within the search.
        position: its place within the search.
        query: the document.
        ranking: everything found for it, best first.
        request: what was asked for.
        elapsed_s: seconds spent on it.
        own_drop: the drop it came with, if it is in the archive itself.
        dates: of the found documents, by id.
        searched: whether it was searched for at all; without it there is no risk.
        faults: what could not be looked for or compared.
    """
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
        top_docs=tuple(
            _found(match, query, own_drop, dates.get(match.document_id)) for match in _reported(ranking, request)
        ),
        legacy={"image_authenticity": classes},
        fields=query.fields,
        faults=tuple(fault.entry() for fault in faults),
        searched=searched and query.state.is_readable,
    )


def _reported(ranking: Sequence[DocumentMatch], request: SearchRequest) -> list[DocumentMatch]:
    """The best documents, and beyond them every identical one and every one with a pair that may come to match."""
    return [
        match
        for rank, match in enumerate(ranking)
        if rank < request.top_doc
        or match.exact_duplicate
        or any(request.rule.holds(pair) or _may_match(pair) for pair in match.matches)
    ]


def _may_match(pair: PhotoMatch) -> bool:
    return pair.looked_at and pair.probability is not None and pair.probability >= KEPT_FROM


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
    )
    if pair.alignment is None:
        return found
    if not _is_kept(pair):
        return replace(found, overlap=_overlap(pair.alignment))
    return replace(
        found,
        overlap=_overlap(pair.alignment),
        likeness=None if pair.likeness is None else _rounded_likeness(pair.likeness),
        changes=_rounded_changes(changes_of(pair.alignment, crop.box, pair.payload.box)),
        transform=tuple(tuple(round(float(value), 8) for value in row) for row in pair.alignment.transform),
        lines=tuple(tuple(round(float(at), 4) for at in line) for line in pair.alignment.lines[:MAX_LINES]),
    )


def _is_kept(pair: PhotoMatch) -> bool:
    return pair.likeness is not None or (pair.probability is not None and pair.probability >= KEPT_FROM)


def _rounded_likeness(likeness: Likeness) -> Likeness:
    traits = {each.name: round(getattr(likeness.traits, each.name), 4) for each in fields(LikenessTraits)}
    return Likeness(
        same_photograph=round(likeness.same_photograph, 6),
        other_shot=round(likeness.other_shot, 6),
        shared_thing=round(likeness.shared_thing, 6),
        traits=LikenessTraits(**traits),
    )


def _rounded_changes(changes: Changes) -> Changes:
    return replace(
        changes,
        **{
            name: round(getattr(changes, name), 3)
            for name in ("tilt_deg", "scale", "kept_share", "own_share", "contrast", "brightness")
        },
    )


def _overlap(alignment: Alignment) -> Overlap:
    return Overlap(
        query_share=round(alignment.query_share, 4),
        share=round(alignment.archive_share, 4),
        query_area=_rounded(alignment.query_area),
        area=_rounded(alignment.archive_area),
        agreement=round(alignment.appearance.agreement, 4),
    )


def _rounded(area: Polygon) -> tuple[tuple[float, float], ...]:
    return tuple((round(x, 4), round(y, 4)) for x, y in area)
