"""Stage ``review_cases``: what the review desk has to judge of a drop, in the order of its urgency."""

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from doc_assets.archive.archive import Archive, chunk_of
from doc_assets.archive.ledger.cases import CasePair, Filed, NewCase
from doc_assets.archive.ledger.results import Finding, FoundDocument, PhotoPair, ResultRecord
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.ledger.searches import drop_of, search_id_of
from doc_assets.archive.ledger.verdicts import SecondReview, pair_key
from doc_assets.archive.payloads import read_keys
from doc_assets.archive.shards import read_jpegs_at
from doc_assets.pipeline.relabel import by_drop
from doc_assets.sources.names import document_id

BUSINESS_COLUMN = "업종명"
"""Of key tables: what a merchant does."""
FILE = -1
"""The place of the file as a whole."""
_LEAST = 1e-6
"""Probabilities of findings have six decimals: nothing is less likely, or less unlikely, than this."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What makes a case urgent, in units of the log-odds of its best pair.

    Attributes:
        photo: each further photo that counts.
        merchant: each other merchant that it ties to.
        identical_file: a file that came before, byte for byte.
        age_per_day: each day since it was opened.
    """

    photo: float = 2.0
    merchant: float = 1.0
    identical_file: float = 3.0
    age_per_day: float = 0.1


@dataclass(frozen=True, slots=True)
class ReviewReport:
    """What filing the cases of a drop came to.

    Attributes:
        documents: with something that counts, those of other drops included.
        filed: what became of cases.
        without_case: flagged documents that have no case; there should be none.
    """

    documents: int
    filed: Filed
    without_case: tuple[int, ...]


def file_cases(archive: Archive, drop_key: str, now: datetime, weights: Weights, rule: SecondReview) -> ReviewReport:
    """Files a case for every document with something that counts: of the drop, and of others that it changed.

    Args:
        archive: with the drop's results.
        drop_key: a screened drop.
        now: of this look.
        weights: what makes a case urgent.
        rule: which cases need a second person.
    """
    looked_at = list(_results(archive, drop_key))
    names = {result.document_id for _, result in looked_at}
    documents = archive.ledger.documents.current_with_ids(
        names | {other for _, result in looked_at for other in _others(result)}
    )
    # A drop may hold a repeated file or an older version of a document whose case is another drop's.
    results = [
        (documents[result.document_id], result)
        for drop, result in looked_at
        if result.document_id in documents and documents[result.document_id].drop_key == drop
    ]
    digests = _photo_digests(archive, documents, _places([result for _, result in results]))
    cases = [
        _case(result, document, documents, digests, weights)
        for document, result in results
        if any(finding.counts for finding in result.findings)
    ]
    rows = {document.id for document, _ in results}
    rows |= {arrival.id for arrival in archive.ledger.documents.arrivals(names) if not arrival.is_current}
    ledger = archive.ledger.cases
    filed = ledger.file(rows, cases, now, age_per_day=weights.age_per_day, rule=rule)
    flagged = {document.id for document, result in results if result.flagged}
    return ReviewReport(len(cases), filed, tuple(sorted(ledger.without_case(flagged))))


def file_cases_again(archive: Archive, changed: Mapping[str, Sequence[str]], now: datetime, rule: SecondReview) -> None:
    """Files the cases of drops whose labels were made anew.

    Args:
        archive: with the results.
        changed: by search, the query documents whose labels are others now; searches of no drop are left out.
        now: of this look.
        rule: which cases need a second person.
    """
    for search_id, names in changed.items():
        drop_key = drop_of(search_id)
        if drop_key is not None and names:
            file_cases(archive, drop_key, now, Weights(), rule)


def _results(archive: Archive, drop_key: str) -> Iterator[tuple[str, ResultRecord]]:
    """The drop's results, and those of other drops that changed with it, each with the drop it is of."""
    searches = archive.ledger.searches
    yield from ((drop_key, result) for result in searches.results(search_id_of(drop_key)))
    for drop, names in by_drop(searches.changes(search_id_of(drop_key))).items():
        wanted = set(names)
        yield from ((drop, each) for each in searches.results(search_id_of(drop)) if each.query_document in wanted)


def _counted(result: ResultRecord) -> list[tuple[Finding, FoundDocument | None, PhotoPair | None]]:
    """What counts of a document, the gravest first, with the document and the pair that show it best."""
    counted = []
    for finding in result.findings:
        if finding.counts:
            found = result.found(finding.found_in) or result.found(finding.first_use.document)
            counted.append((finding, found, _best_pair(found, finding.photo)))
    return counted


def _best_pair(found: FoundDocument | None, photo: int | None) -> PhotoPair | None:
    """The matched one; between identical files any, whatever the thresholds say of it."""
    if found is None:
        return None
    pairs = [each for each in found.matches if each.query_photo == photo and (each.matched or found.exact_duplicate)]
    return max(pairs, key=lambda pair: (pair.probability or 0.0, pair.similarity), default=None)


def _others(result: ResultRecord) -> Iterable[str]:
    return (_other_id(finding, found) for finding, found, _ in _counted(result))


def _other_id(finding: Finding, found: FoundDocument | None) -> str:
    """Of the document that shows it best; of the first one to use it if that is not among the documents found."""
    return found.document_id if found is not None else document_id(finding.first_use.document)


def _places(results: Sequence[ResultRecord]) -> dict[str, set[int]]:
    """Photos whose content makes the keys of pairs, by document."""
    places: dict[str, set[int]] = defaultdict(set)
    for result in results:
        for finding, found, pair in _counted(result):
            if finding.photo is not None:
                places[result.document_id].add(finding.photo)
            if pair is not None and found is not None:
                places[found.document_id].add(pair.photo)
    return places


def _photo_digests(
    archive: Archive, documents: Mapping[str, Document], places: Mapping[str, set[int]]
) -> dict[tuple[str, int], str]:
    """SHA-256 of the photos at these places, and of the files as wholes; each table is opened once."""
    digests = {(name, FILE): str(document.sha256) for name, document in documents.items()}
    wanted: dict[tuple[str, int], set[tuple[str, int]]] = defaultdict(set)
    chunks = {drop: archive.chunks(drop) for drop in {documents[name].drop_key for name in places if name in documents}}
    tables = {}
    for name in places.keys() & documents.keys():
        chunk = chunk_of(documents[name], chunks[documents[name].drop_key])
        at = chunk.drop_key, chunk.positions.start
        tables[at] = archive.photo_shard(chunk)
        wanted[at] |= {(name, photo) for photo in places[name]}
    for at, photos in wanted.items():
        keys = [(key.document_id, key.photo_index) for key in read_keys(tables[at])]
        rows = {row: key for row, key in enumerate(keys) if key in photos}
        for row, jpeg in read_jpegs_at(tables[at], rows):
            digests[rows[row]] = hashlib.sha256(jpeg).hexdigest()
    return digests


def _case(
    result: ResultRecord,
    document: Document,
    documents: Mapping[str, Document],
    digests: Mapping[tuple[str, int], str],
    weights: Weights,
) -> NewCase:
    pairs = []
    for finding, found, pair in _counted(result):
        photo = FILE if finding.photo is None else finding.photo
        other_photo = FILE if pair is None else pair.photo
        other_id = _other_id(finding, found)
        other = documents.get(other_id)
        one = document.document_id, digests.get((document.document_id, photo), f"photo {photo}")
        key = pair_key(one, (other_id, digests.get((other_id, other_photo), f"photo {other_photo}")))
        pairs.append(
            CasePair(key, photo, other.id if other else None, other_photo, finding.kind, finding.probability, pair)
        )
    parts, business = _parts(result, weights), document.fields.get(BUSINESS_COLUMN) or None
    return NewCase(document.id, document.drop_key, document.merchant_id, parts, tuple(pairs), business)


def _parts(result: ResultRecord, weights: Weights) -> dict[str, float]:
    """What makes a case urgent: log-odds of the best pair, and what comes on top; zeros are left out."""
    counted = [finding for finding in result.findings if finding.counts]
    best = min(max(*(finding.probability for finding in counted), _LEAST), 1 - _LEAST)
    photos = sum(finding.photo is not None for finding in counted)
    parts = {
        "probability": math.log(best / (1 - best)),
        "photos": weights.photo * max(0, photos - 1),
        "merchants": weights.merchant * max(finding.n_merchants for finding in counted),
        "identical_file": weights.identical_file * any(finding.photo is None for finding in counted),
    }
    return {name: round(value, 3) for name, value in parts.items() if value}
