"""Who was first: what follows for a document from everything that shows its photos; pure rules on small values.

Photos that show the same photograph are linked: by a verified pair, or because their files are identical. A link holds
between *areas* of two photos, so that a collage does not make one photograph of the two that it shows: the photos that
show what a photo shows are those that can be reached over links whose areas overlap.

Of all documents that show a photograph the one with the earliest date has its **first use**, and that document's
merchant owns it. A photo of a document of merchant m and date d is then, the gravest first:

    reuse             the owner is known and another merchant, and used it before d
    same_day          another merchant used it on the same day: who was first is not known
    merchant_unknown  it was used before d, or on the same day, and m or the owner is not known
    own_photo_again   m used it first
    first_use         d is the earliest date; others may have copied it since

The first three count. The document's risk is the probability that at least one photo that counts is what it seems,

    risk = 1 - product over photos that count of (1 - p)

where p is the probability of the weakest link on the strongest way to a document that speaks against it; a
byte-identical file that counts makes it 1. What lies below the threshold of a match never adds up: the largest of those
probabilities is the document's *doubt*, however many photos it has.
"""

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from doc_assets.archive.ledger.results import (
    ALIKE,
    COUNTED,
    Finding,
    FindingKind,
    FoundDocument,
    PhotoPair,
    ResultRecord,
    Use,
)
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.ledger.search_settings import Thresholds
from doc_assets.datatypes import DateSource
from doc_assets.search.kinds import is_matched, kind_of, labelled, likelihood_of
from doc_assets.search.legacy import legacy_fields
from doc_assets.search.verify.probability import PairModel

Node = tuple[str, int]
"""A photo: its document's id and its place in it, from 0; ``FILE`` for the file as a whole."""
FILE = -1
Frame = tuple[float, float, float, float]
"""Left, top, right, bottom in shares of a photo's width and height."""
WHOLE: Frame = (0.0, 0.0, 1.0, 1.0)

LABELS_VERSION = 2
"""Of the rules here; labels that another version made are made anew."""

_SAME_AREA = 0.3
"""Two links meet on a photo if their areas share at least this part of the smaller one."""
_GRAVITY: tuple[FindingKind, ...] = (*COUNTED, "cannot_tell", "own_photo_again", "first_use", *ALIKE[1:])


@dataclass(frozen=True, slots=True)
class Link:
    """That two photos of different documents show the same photograph, where, and how probably."""

    one: Node
    other: Node
    probability: float
    one_area: Frame = WHOLE
    other_area: Frame = WHOLE


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """What the rules ask of a document: which it is, whose if that is known, its date and how that is known."""

    document_id: str
    file_name: str
    merchant_id: str | None
    day: date
    source: DateSource

    def as_use(self) -> Use:
        """For a finding."""
        return Use(self.file_name, self.merchant_id, self.day, self.source)


def archived_finds(
    results: Iterable[ResultRecord], rows: Mapping[str, Document], found: Mapping[str, Document]
) -> Iterator[tuple[ResultRecord, Document, FoundDocument, Document]]:
    """Every result of an archived document with every archived document that it names, as found and as stored.

    ``rows`` are the documents of the results by id, ``found`` the current ones that they name; others of one batch are
    no finds.
    """
    for result in results:
        query = rows.get(result.document_id)
        for each in result.top_docs:
            other = found.get(each.document_id)
            if query is not None and other is not None and not each.same_batch:
                yield result, query, each, other


class PhotoGraph:
    """Photos and the links between them.

    Args:
        links: in any order; one that occurs in both directions counts with the more probable one.
        documents: what is known of documents, by id; links of others are left out.
    """

    def __init__(self, links: Iterable[Link], documents: Mapping[str, DocumentFacts]) -> None:
        self.documents = documents
        self._links: dict[Node, list[tuple[Node, float, Frame, Frame]]] = defaultdict(list)
        for link in links:
            self._links[link.one].append((link.other, link.probability, link.one_area, link.other_area))
            self._links[link.other].append((link.one, link.probability, link.other_area, link.one_area))

    def areas(self, photo: Node) -> list[Frame]:
        """Where on a photo its links lie, each area once."""
        return list(dict.fromkeys(here for _, _, here, _ in self._links.get(photo, ())))

    def showing(self, photo: Node, area: Frame) -> dict[str, float]:
        """Other documents that show what lies in this area of a photo.

        Returns:
            By document id, the probability of the weakest link on the strongest way there, in [0, 1].
        """
        reached: dict[str, float] = {}
        done: set[Node] = set()
        waiting: list[tuple[float, Node, Frame]] = [(-1.0, photo, area)]
        while waiting:
            strength, node, region = heapq.heappop(waiting)
            if node in done:
                continue
            done.add(node)
            if node[0] != photo[0]:
                reached[node[0]] = max(-strength, reached.get(node[0], 0.0))
            for there, probability, here_area, there_area in self._links.get(node, ()):
                if there not in done and there[0] in self.documents and _share_area(region, here_area):
                    heapq.heappush(waiting, (max(strength, -probability), there, there_area))
        return reached


def _share_area(one: Frame, other: Frame) -> bool:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return False
    smaller = min((area[2] - area[0]) * (area[3] - area[1]) for area in (one, other))
    return width * height >= _SAME_AREA * smaller


@dataclass(frozen=True, slots=True)
class _Judgement:
    """What holds of one area of a photo; ``against`` are the documents that speak for it, with their probabilities."""

    kind: FindingKind
    first_use: DocumentFacts
    shown_in: dict[str, float]
    against: dict[str, float]

    @property
    def probability(self) -> float:
        return max((self.against or self.shown_in).values())


def same_merchant(own: str | None, other: str | None) -> bool:
    """Whether both are known and the same."""
    return own is not None and own == other


def _judge(own: DocumentFacts, shown_in: dict[str, float], documents: Mapping[str, DocumentFacts]) -> _Judgement:
    """The rule of the module for one document and all others that show the same photograph."""
    others = [documents[name] for name in shown_in]
    first_day = min(own.day, *(other.day for other in others))
    firsts = [other for other in others if other.day == first_day]
    kind = _kind(own, firsts, is_first=own.day == first_day)
    strangers = [other for other in others if not same_merchant(own.merchant_id, other.merchant_id)]
    against = {
        other.document_id: shown_in[other.document_id]
        for other in strangers
        if kind in COUNTED and other.day <= own.day
    }
    earliest = min(
        firsts,
        key=lambda each: (same_merchant(own.merchant_id, each.merchant_id) and kind in COUNTED, each.document_id),
        default=own,
    )
    return _Judgement(kind, own if kind == "first_use" else earliest, shown_in, against)


def _kind(own: DocumentFacts, firsts: Sequence[DocumentFacts], *, is_first: bool) -> FindingKind:
    owners = {first.merchant_id for first in firsts}
    if is_first:
        strangers = {owner for owner in owners if not same_merchant(own.merchant_id, owner)}
        if not strangers:
            return "first_use"
        return "merchant_unknown" if own.merchant_id is None or strangers == {None} else "same_day"
    if own.merchant_id is None or owners == {None}:
        return "merchant_unknown"
    if owners == {own.merchant_id}:
        return "own_photo_again"
    return "same_day" if own.merchant_id in owners else "reuse"


def judged(
    result: ResultRecord, own: DocumentFacts, graph: PhotoGraph, thresholds: Thresholds, model: PairModel
) -> ResultRecord:
    """The result with its labels made anew from its facts; see the module.

    ``graph`` links its photos, those found for it, and whatever is linked with these; ``model`` judges pairs of a
    search that did not verify.
    """
    if not result.searched:
        return replace(result, findings=(), risk_score=None, doubt=0.0, flagged=False)
    relabelled = [_relabelled(found, own, thresholds) for found in result.top_docs]
    pages = {pair.query_photo: pair.query_page for found in relabelled for pair in found.matches}
    against: dict[int, set[str]] = {}
    findings = []
    for photo in (FILE, *range(result.n_photos)):
        judgements = [
            _judge(own, shown_in, graph.documents)
            for area in graph.areas((own.document_id, photo))
            if (shown_in := graph.showing((own.document_id, photo), area))
        ]
        if judgements:
            against[photo] = {name for each in judgements for name in each.against}
            findings.append(_finding(own, photo, pages.get(photo), judgements, relabelled, graph.documents))
        elif (alike := _alike(own, photo, relabelled)) is not None:
            findings.append(alike)
    top_docs = [replace(found, counts=_counts(found, against)) for found in relabelled]
    risk = _risk(findings)
    flagged = risk > 0 and risk >= thresholds.flag_risk
    # What was not looked for is not known to be harmless.
    is_known = flagged or not any(fault.stage == "retrieval" for fault in result.faults)
    labelled = replace(
        result,
        top_docs=tuple(sorted(top_docs, key=_order)),
        findings=tuple(sorted(findings, key=_gravest_first)),
        risk_score=round(risk, 6) if is_known else None,
        doubt=round(_doubt(relabelled, own, model), 6),
        flagged=flagged,
    )
    return replace(
        labelled,
        legacy=legacy_fields(labelled, thresholds.similar_doc_flag_threshold, thresholds.non_authentic_image_classes),
    )


def _relabelled(found: FoundDocument, own: DocumentFacts, thresholds: Thresholds) -> FoundDocument:
    pairs = tuple(labelled(pair, thresholds) for pair in found.matches)
    is_own = same_merchant(own.merchant_id, found.merchant_id)
    return replace(
        found,
        matches=pairs,
        n_matched_photos=len({pair.query_photo for pair in pairs if pair.matched}),
        same_merchant=is_own,
        common_name=None if is_own else found.common_name,
    )


def _finding(
    own: DocumentFacts,
    photo: int,
    page: int | None,
    judgements: Sequence[_Judgement],
    found: Sequence[FoundDocument],
    documents: Mapping[str, DocumentFacts],
) -> Finding:
    """The gravest of what holds of a photo's areas, with all documents that show it likewise."""
    gravest = min(judgements, key=lambda each: (_GRAVITY.index(each.kind), -each.probability))
    alike = [each for each in judgements if each.kind == gravest.kind]
    shown_in = {name for each in alike for name in each.shown_in}
    merchants = {documents[name].merchant_id for name in shown_in} - {None, own.merchant_id}
    speaking = gravest.against or gravest.shown_in

    def how_direct(each: FoundDocument) -> tuple[bool, bool, float, str]:
        """The first use itself before any other copy."""
        best = max((pair.probability or 0.0 for pair in each.matches if pair.query_photo == photo), default=0.0)
        return each.document_id == gravest.first_use.document_id, each.exact_duplicate, best, each.document

    candidates = [each for each in found if each.document_id in speaking and _shows(each, photo)]
    return Finding(
        photo=None if photo == FILE else photo,
        page=None if photo == FILE else page,
        kind=gravest.kind,
        counts=gravest.kind in COUNTED,
        probability=round(gravest.probability, 6),
        first_use=gravest.first_use.as_use(),
        found_in=max(candidates, key=how_direct).document if candidates else None,
        n_documents=len(shown_in),
        n_merchants=len(merchants),
    )


def _alike(own: DocumentFacts, photo: int, found: Sequence[FoundDocument]) -> Finding | None:
    """What is to be said of a photo that shows nobody's photograph: the gravest likeness, the most probable one."""
    pairs = [
        (each, pair, pair.kind, facts)
        for each in found
        for pair in each.matches
        if pair.query_photo == photo and pair.kind in ALIKE and (facts := found_facts(each)) is not None
    ]
    if not pairs:
        return None
    best, pair, kind, facts = min(pairs, key=lambda each: (_GRAVITY.index(each[2]), -likelihood_of(each[1])))
    alike = [each for each, _, other_kind, _ in pairs if other_kind == kind]
    return Finding(
        photo=photo,
        page=pair.query_page,
        kind=kind,
        counts=False,
        probability=round(likelihood_of(pair), 6),
        first_use=facts.as_use(),
        found_in=best.document,
        n_documents=len({each.document_id for each in alike}),
        n_merchants=len({each.merchant_id for each in alike} - {None, own.merchant_id}),
    )


def _shows(found: FoundDocument, photo: int) -> bool:
    return found.exact_duplicate or any(pair.matched and pair.query_photo == photo for pair in found.matches)


def _counts(found: FoundDocument, against: Mapping[int, set[str]]) -> bool:
    """Whether a found document speaks against one of the photos that it shows."""
    photos = {pair.query_photo for pair in found.matches if pair.matched}
    if found.exact_duplicate:
        photos.add(FILE)
    return any(found.document_id in against.get(photo, ()) for photo in photos)


def _gravest_first(finding: Finding) -> tuple[int, float, int]:
    return _GRAVITY.index(finding.kind), -finding.probability, FILE if finding.photo is None else finding.photo


def _risk(findings: Iterable[Finding]) -> float:
    counted = [finding for finding in findings if finding.counts]
    if any(finding.photo is None for finding in counted):
        return 1.0
    return 1 - math.prod(1 - finding.probability for finding in counted)


def _doubt(found: Iterable[FoundDocument], own: DocumentFacts, model: PairModel) -> float:
    return max(
        (
            probability_of(pair, model)
            for each in found
            if not each.same_merchant and (each.document_date is None or each.document_date <= own.day)
            for pair in each.matches
            if not pair.matched and pair.kind != "form_picture"
        ),
        default=0.0,
    )


def probability_of(pair: PhotoPair, model: PairModel) -> float:
    """That a pair shows the same photograph, by its similarity alone if it was not verified."""
    return model.final(model.probability(pair.similarity, None)) if pair.probability is None else pair.probability


def _link_probability(pair: PhotoPair, thresholds: Thresholds, model: PairModel) -> float:
    """Of a matched pair; another shot that counts as the photograph itself is as probable as both together."""
    if pair.likeness is not None and kind_of(pair, thresholds) == "other_shot":
        return pair.likeness.same_photograph + pair.likeness.other_shot
    return probability_of(pair, model)


def _order(found: FoundDocument) -> tuple[bool, bool, bool, bool, float, str]:
    """As ``ranking`` orders documents."""
    return (
        not found.exact_duplicate,
        found.n_matched_photos == 0,
        not any(pair.is_shown for pair in found.matches),
        found.same_batch,
        -found.score,
        found.document_id,
    )


def links_of(result: ResultRecord, thresholds: Thresholds, model: PairModel) -> Iterator[Link]:
    """The links that a result's matched pairs and identical files stand for."""
    for found in result.top_docs:
        if found.exact_duplicate:
            for photo in (FILE, *range(result.n_photos)):
                yield Link((result.document_id, photo), (found.document_id, photo), 1.0)
        for pair in found.matches:
            if is_matched(pair, thresholds):
                ends = (result.document_id, pair.query_photo), (found.document_id, pair.photo)
                yield Link(*ends, _link_probability(pair, thresholds, model), *areas_of(pair))


def areas_of(pair: PhotoPair) -> tuple[Frame, Frame]:
    """Where a pair's photos show the same, as upright frames; everywhere if that is not known."""
    overlap = pair.overlap
    return (WHOLE, WHOLE) if overlap is None else (_frame(overlap.query_area), _frame(overlap.area))


def _frame(area: Sequence[tuple[float, float]]) -> Frame:
    if not area:
        return WHOLE
    across, down = [x for x, _ in area], [y for _, y in area]
    return min(across), min(down), max(across), max(down)


def facts_of(result: ResultRecord) -> DocumentFacts | None:
    """What a result says of its query document; None if it has no date, as in results of earlier versions."""
    if result.document_date is None or result.date_source is None:
        return None
    return DocumentFacts(
        result.document_id, result.query_document, result.merchant_id, result.document_date, result.date_source
    )


def found_facts(found: FoundDocument) -> DocumentFacts | None:
    """What a result says of a found document; None if it has no date, as in results of earlier versions."""
    if found.document_date is None or found.date_source is None:
        return None
    return DocumentFacts(found.document_id, found.document, found.merchant_id, found.document_date, found.date_source)
