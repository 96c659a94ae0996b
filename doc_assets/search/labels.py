"""Labels of stored results: made when they are filed, and again when thresholds, dates or the archive change."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from doc_assets.archive.ledger.form_pictures import KnownPicture
from doc_assets.archive.ledger.groups import StoredLink
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.photo_sets import Photo
from doc_assets.archive.ledger.results import ChangedFinding, FoundDocument, PhotoPair, ResultRecord
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.ledger.search_settings import Thresholds
from doc_assets.search.findings import (
    FILE,
    WHOLE,
    DocumentFacts,
    Link,
    Node,
    PhotoGraph,
    archived_finds,
    areas_of,
    facts_of,
    found_facts,
    judged,
    links_of,
)
from doc_assets.search.form_pictures import (
    both_may_be_drawn,
    drawn_in_search,
    is_form_picture,
    placed_in_search,
    said_of,
)
from doc_assets.search.kinds import is_matched, likeness_kind
from doc_assets.search.ranking import telling
from doc_assets.search.record import KEPT_FROM, archived_find
from doc_assets.search.verify.probability import PairModel
from doc_assets.sources.merchants import NAME_COLUMN, common_beginning


@dataclass(frozen=True, slots=True)
class Labeller:
    """Makes labels of results with the archive's links beside their own; the model judges unverified pairs."""

    ledger: Ledger
    thresholds: Thresholds
    model: PairModel

    def label(self, results: Sequence[ResultRecord]) -> list[ResultRecord]:
        """Results of one search with their labels; they are each other's batch."""
        return self._labelled(results, self._surroundings(results), are_archived=False)

    def label_archived(self, results: Sequence[ResultRecord]) -> list[ResultRecord]:
        """Results of documents of the archive, with what later documents found of them, and their labels."""
        surroundings = self._surroundings(results)
        linked = [_with_links(result, surroundings) for result in results]
        return self._labelled(linked, surroundings, are_archived=True)

    def _labelled(
        self, results: Sequence[ResultRecord], surroundings: "_Surroundings", *, are_archived: bool
    ) -> list[ResultRecord]:
        """Labels by what the ledger knows of the pictures in the results, what they tell together, and their links."""
        drawn = drawn_in_search(results, self.thresholds)
        results = [self._with_form(result, surroundings, drawn, is_archived=are_archived) for result in results]
        own = (link for result in results for link in links_of(result, self.thresholds, self.model))
        graph = PhotoGraph([*surroundings.links, *own], surroundings.facts)
        return [self._judged(result, graph, surroundings) for result in results]

    def _with_form(
        self, result: ResultRecord, surroundings: "_Surroundings", drawn: Collection[Node], *, is_archived: bool
    ) -> ResultRecord:
        own = surroundings.row_of.get(result.document_id) if is_archived else None
        placed = self._placed(result)

        def known(found: FoundDocument, pair: PhotoPair) -> bool | None:
            said = surroundings.said_of_form(own, found, pair)
            if said is not None or likeness_kind(pair, self.thresholds) is None or not both_may_be_drawn(pair):
                return said
            photos = (result.document_id, pair.query_photo), (found.document_id, pair.photo)
            is_placed = (found.document_id, pair.query_photo) in placed
            return True if is_placed or any(photo in drawn for photo in photos) else None

        top_docs = [
            replace(found, matches=tuple(replace(pair, known_form=known(found, pair)) for pair in found.matches))
            for found in result.top_docs
        ]
        return replace(result, top_docs=tuple(top_docs))

    def _placed(self, result: ResultRecord) -> set[tuple[str, int]]:
        """Found documents that show what several merchants show at one place, and which photo of the query it is."""
        placed: set[tuple[str, int]] = set()
        for photo in range(result.n_photos):
            shown = [(found, pair) for found in result.top_docs for pair in found.matches if pair.query_photo == photo]
            named = [(found.merchant_id, pair) for found, pair in shown]
            here = placed_in_search(named, result.merchant_id, self.thresholds)
            placed |= {(found.document_id, photo) for (found, _), is_here in zip(shown, here, strict=True) if is_here}
        return placed

    def _linked(self, results: Iterable[ResultRecord]) -> set[str]:
        """The documents whose photo groups bear on these results: their own and those that match."""
        linked: set[str] = set()
        for result in results:
            linked.add(result.document_id)
            linked |= {
                found.document_id
                for found in result.top_docs
                if found.exact_duplicate or any(is_matched(pair, self.thresholds) for pair in found.matches)
            }
        return linked

    def _judged(self, result: ResultRecord, graph: PhotoGraph, surroundings: "_Surroundings") -> ResultRecord:
        own = facts_of(result) or surroundings.facts.get(result.document_id)
        if own is None:  # of an earlier version, about a document that was never in the archive
            return result
        known = replace(result, document_date=own.day, date_source=own.source, merchant_id=own.merchant_id)
        told = [surroundings.told(found, result.document_id) for found in known.top_docs]
        return judged(replace(known, top_docs=tuple(told)), own, graph, self.thresholds, self.model)

    def _surroundings(self, results: Sequence[ResultRecord]) -> "_Surroundings":
        """The archive's links around what these results show, and the documents at their ends."""
        names = {result.document_id for result in results}
        names |= {found.document_id for result in results for found in result.top_docs}
        documents = self.ledger.documents.current_with_ids(names)
        rows = {document.id: document for document in documents.values()}
        linked = self._linked(results)
        around = [document.id for name, document in documents.items() if name in linked]
        groups = set(self.ledger.groups.of_rows(around).values())
        stored = self.ledger.groups.links(groups, self.thresholds.match_probability)
        missing = {row for link in stored for row in (link.query[0], link.found[0])} - set(rows)
        rows |= {document.id: document for document in self.ledger.documents.with_row_ids(sorted(missing))}
        facts = {document.document_id: document_facts(document) for document in rows.values()}
        for found in chain.from_iterable(result.top_docs for result in results):
            if found.document_id not in facts and (fact := found_facts(found)) is not None:
                facts[found.document_id] = fact
        facts |= {result.document_id: fact for result in results if (fact := facts_of(result)) is not None}
        forms = self.ledger.form_pictures.of_rows(rows)
        row_of = {document.document_id: row for row, document in rows.items()}
        return _Surroundings(rows, row_of, facts, stored, forms, _names(rows, results))


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """Documents by row and back, what is known of them by id, stored links and pictures of the form in them.

    ``names`` are what the key tables call the merchants of documents, by document id.
    """

    rows: Mapping[int, Document]
    row_of: Mapping[str, int]
    facts: Mapping[str, DocumentFacts]
    stored: Sequence[StoredLink]
    forms: Mapping[Photo, KnownPicture]
    names: Mapping[str, str]

    @property
    def links(self) -> Iterator[Link]:
        """The stored links, as between documents by id."""
        for link in self.stored:
            yield Link(self._node(link.query), self._node(link.found), link.probability, link.query_area, link.area)

    def said_of_form(self, own: int | None, found: FoundDocument, pair: PhotoPair) -> bool | None:
        """Whether the ledger says that a pair is a picture of the form; None if it leaves that to their looks.

        ``own`` is the row of the query document if that is in the archive: then its own photos are known too.
        """
        other = None if found.same_batch else self.row_of.get(found.document_id)
        photos = [(row, at) for row, at in ((own, pair.query_photo), (other, pair.photo)) if row is not None]
        return said_of(pair, [self.forms[photo] for photo in photos if photo in self.forms])

    def told(self, found: FoundDocument, own_id: str) -> FoundDocument:
        """With what key tables tell by now: the document's date and merchant, what both merchants' names begin with."""
        facts, one, other = self.facts.get(found.document_id), self.names.get(own_id), self.names.get(found.document_id)
        found = replace(found, common_name=common_beginning(one, other) if one and other else None)
        if facts is None or found.same_batch:
            return found
        return replace(found, document_date=facts.day, date_source=facts.source, merchant_id=facts.merchant_id)

    def _node(self, photo: Photo) -> Node:
        return self.rows[photo[0]].document_id, photo[1]


def document_facts(document: Document) -> DocumentFacts:
    """What the rules ask of an archived document."""
    return DocumentFacts(
        document.document_id, document.file_name, document.merchant_id, document.document_date, document.date_source
    )


def _names(rows: Mapping[int, Document], results: Sequence[ResultRecord]) -> dict[str, str]:
    archived = {document.document_id: document.fields for document in rows.values()}
    queries = {result.document_id: result.fields for result in results}
    fields = archived | {name: archived.get(name, {}) | known for name, known in queries.items()}
    return {name: known[NAME_COLUMN] for name, known in fields.items() if known.get(NAME_COLUMN)}


def _with_links(result: ResultRecord, surroundings: _Surroundings) -> ResultRecord:
    """The result with documents that were found to show its photos when they were searched for themselves."""
    known = {found.document_id for found in result.top_docs if found.exact_duplicate}
    shown = {(found.document_id, pair.query_photo) for found in result.top_docs for pair in found.matches}
    pairs: dict[str, list[PhotoPair]] = {}
    exact: set[str] = set()
    documents = {}
    for link in surroundings.stored:
        here = surroundings.rows[link.found[0]]
        if here.document_id != result.document_id:
            continue
        other = surroundings.rows[link.query[0]]
        documents[other.document_id] = other
        if link.pair is None and other.document_id not in known:
            exact.add(other.document_id)
        elif link.pair is not None and (other.document_id, link.found[1]) not in shown:
            pairs.setdefault(other.document_id, []).append(link.pair.reversed())
    if not pairs and not exact:
        return result
    ranked = {found.document_id: found for found in result.top_docs}
    for name in {*pairs, *exact}:
        ranked[name] = _merged(ranked.get(name), documents[name], pairs.get(name, []), is_exact=name in exact)
    return replace(result, top_docs=tuple(ranked.values()))


def _merged(
    found: FoundDocument | None, document: Document, pairs: Sequence[PhotoPair], *, is_exact: bool
) -> FoundDocument:

    def order(pair: PhotoPair) -> tuple[tuple[float, bool, float], int]:
        return telling(pair.probability, is_alike=pair.likeness is not None), pair.query_photo

    best: dict[int, PhotoPair] = {}
    for pair in sorted((*(found.matches if found else ()), *pairs), key=order):  # of equals the document's own first
        best.setdefault(pair.query_photo, pair)
    matches = tuple(best.values())
    if found is not None:
        return replace(found, matches=matches, exact_duplicate=found.exact_duplicate or is_exact)
    score = 1.0 if is_exact else max(pair.similarity for pair in matches)
    return archived_find(document, matches, score, is_exact=is_exact)


def stored_links(
    results: Sequence[ResultRecord],
    rows: Mapping[str, Document],
    found: Mapping[str, Document],
    forms: Mapping[Photo, KnownPicture],
) -> Iterator[StoredLink]:
    """What results of archived documents say of photos that show the same, to be kept.

    ``rows`` are these documents by id, ``found`` the current ones that they name, ``forms`` the pictures of the form
    that photos of all of them show.
    """
    for result, query, each, other in archived_finds(results, rows, found):
        if each.exact_duplicate:
            for photo in (FILE, *range(result.n_photos)):
                yield StoredLink((query.id, photo), (other.id, photo), 1.0, WHOLE, WHOLE, None)
        for pair in each.matches:
            if pair.probability is not None and pair.probability >= KEPT_FROM:
                ends = (query.id, pair.query_photo), (other.id, pair.photo)
                is_form = is_form_picture(pair, [forms[photo] for photo in ends if photo in forms])
                yield StoredLink(*ends, pair.probability, *areas_of(pair), pair, is_form)


def change_of(drop: str, before: ResultRecord, after: ResultRecord) -> ChangedFinding | None:
    """How a document's finding changed; None if it did not."""
    was, now = before.finding, after.finding
    same_findings = [(f.photo, f.kind) for f in before.findings] == [(f.photo, f.kind) for f in after.findings]
    if same_findings and (before.risk_score, before.flagged) == (after.risk_score, after.flagged):
        return None
    return ChangedFinding(
        document=after.query_document,
        drop=drop,
        was=was.kind if was else None,
        now=now.kind if now else None,
        risk_was=before.risk_score,
        risk=after.risk_score,
        flagged=after.flagged,
    )
