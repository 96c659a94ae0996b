"""Labels of what the archive's documents were found to show: after screening, and when a threshold or date changes.

Nothing is searched again here: labels follow from stored results, stored links and the ledger's dates.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime

from doc_assets.archive.ledger.form_pictures import Decision, KnownPicture
from doc_assets.archive.ledger.groups import StoredLink
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.photo_sets import Photo
from doc_assets.archive.ledger.results import ChangedFinding, ResultRecord
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.ledger.search_settings import SearchSettings, Thresholds
from doc_assets.archive.ledger.searches import drop_of, search_id_of
from doc_assets.search.findings import LABELS_VERSION
from doc_assets.search.form_pictures import is_form_picture, rule_of, seen_pairs
from doc_assets.search.labels import Labeller, change_of, stored_links
from doc_assets.util.progress import track

_AT_ONCE = 500


def by_drop(changed: Sequence[ChangedFinding]) -> dict[str, list[str]]:
    """Documents whose finding changed, by the drop that they came with."""
    documents: dict[str, list[str]] = defaultdict(list)
    for each in changed:
        documents[each.drop].append(each.document)
    return documents


def keep_links(
    ledger: Ledger, documents: Sequence[Document], results: Sequence[ResultRecord], thresholds: Thresholds
) -> set[int]:
    """Files which photos were found to show the same, in place of what was found for these documents before.

    What of it is a picture of the form, or may be, is filed first: such links join no photo groups.

    Returns:
        Rows of the documents whose photo groups or pictures of the form changed with it.
    """
    threshold, rule = thresholds.match_probability, rule_of(thresholds)
    current = {document.document_id: document for document in documents if document.is_current}
    names = {found.document_id for result in results for found in result.top_docs}
    found = ledger.documents.current_with_ids(names)
    sizes = ledger.page_sizes.of({str(each.sha256) for each in (*current.values(), *found.values())})
    changed = ledger.form_pictures.forget_superseded(current, rule)
    changed |= ledger.form_pictures.add(list(seen_pairs(results, current, found, sizes, thresholds)), rule)
    touched = ledger.groups.forget_superseded(current, threshold)
    rows = [document.id for document in current.values()]
    forms = ledger.form_pictures.of_rows({*rows, *(document.id for document in found.values())})
    links = list(stored_links(results, current, found, forms))
    touched |= ledger.groups.replace(rows, links, threshold)
    return touched | mark_links(ledger, changed, thresholds)


def forget_forms(ledger: Ledger, row_ids: Collection[int], thresholds: Thresholds) -> set[int]:
    """Takes documents out of pictures of the form; returns rows of others that such a picture was one for."""
    changed = ledger.form_pictures.forget(row_ids, rule_of(thresholds))
    return mark_links(ledger, changed, thresholds) - set(row_ids)


@dataclass(frozen=True, slots=True)
class Decided:
    """What an operator's word on a picture came to.

    Attributes:
        picture_id, state: the picture, and what it is now.
        by: who said so.
        changed: documents of drops whose finding changed.
        searches: other searches that were judged anew, with the query documents whose labels are others now.
    """

    picture_id: int
    state: Decision
    by: str
    changed: list[ChangedFinding]
    searches: dict[str, list[str]]

    def labelled(self) -> dict[str, list[str]]:
        """By search, also those of drops, the query documents whose labels are others now."""
        return {search_id_of(drop): names for drop, names in by_drop(self.changed).items()} | self.searches


def judge_form(labeller: Labeller, picture_id: int, state: Decision, who: str, when: datetime) -> Decided:
    """Confirms or undoes a picture of the form; every stored result that it concerns is judged anew.

    Its links are taken out of photo groups, or back in.

    Raises:
        InputError: if there is no such picture, or that was decided already.
    """
    labeller.ledger.form_pictures.decide(picture_id, state, who, when)
    changed = label_documents(labeller, mark_links(labeller.ledger, [picture_id], labeller.thresholds))
    searches = labeller.ledger.searches
    others = {}
    for search_id in searches.ids():
        is_finished = drop_of(search_id) is None and searches.get(search_id).finished_at is not None
        if is_finished and (names := label_search(labeller, search_id)):
            others[search_id] = names
    return Decided(picture_id, state, who, changed, others)


def mark_links(ledger: Ledger, pictures: Collection[int], thresholds: Thresholds) -> set[int]:
    """Takes links among photos of pictures of the form out of photo groups, and back in if they are none any longer.

    The pictures were recognised, confirmed or undone; returns the rows of the documents concerned.
    """
    touched: set[int] = set()
    for picture in pictures:
        photos = ledger.form_pictures.photos_of([picture])
        rows = {row for row, _ in photos}
        forms = ledger.form_pictures.of_rows(rows)

        def is_form(link: StoredLink, forms: Mapping[Photo, KnownPicture] = forms) -> bool:
            known = [forms[photo] for photo in (link.query, link.found) if photo in forms]
            return link.pair is not None and is_form_picture(link.pair, known)

        touched |= rows | ledger.groups.mark_form(photos, is_form, thresholds.match_probability)
    return touched


def label_others(labeller: Labeller, drop_key: str, touched: Collection[int]) -> list[ChangedFinding]:
    """Labels documents of other drops that show what this drop's documents show; returns those that changed.

    The drop was screened and its own results are labelled already; ``touched`` are rows of further documents whose
    photo groups changed.
    """
    groups = labeller.ledger.groups
    own = {
        document.id
        for positions in labeller.ledger.documents.chunks(drop_key)
        for document in labeller.ledger.documents.of_chunk(drop_key, positions, current_only=True)
    }
    concerned = groups.rows_of(set(groups.of_rows(own).values())) | set(touched)
    return label_documents(labeller, concerned - own)


def label_documents(labeller: Labeller, row_ids: Collection[int]) -> list[ChangedFinding]:
    """Labels the stored results of archived documents anew; returns those that changed."""
    searches = labeller.ledger.searches
    by_drop: dict[str, list[str]] = defaultdict(list)
    for document in labeller.ledger.documents.with_row_ids(sorted(row_ids)):
        by_drop[document.drop_key].append(document.document_id)
    changed: list[ChangedFinding] = []
    for drop, names in sorted(by_drop.items()):
        search_id = search_id_of(drop)
        before = searches.of_documents([search_id], names).get(search_id, [])
        after = labeller.label_archived(before)
        changes = [(new, change_of(drop, old, new)) for old, new in zip(before, after, strict=True) if old != new]
        searches.record(search_id, [new for new, _ in changes])
        changed += [change for _, change in changes if change is not None]
    return changed


def relabel(labeller: Labeller, search_ids: Sequence[str], *, only_outdated: bool = False) -> dict[str, list[str]]:
    """Labels finished searches by the thresholds in use, the archive's photo groups with them.

    With ``only_outdated`` those that were labelled by the same thresholds and rules are left.

    Returns:
        By search, the query documents whose labels are others now; searches that were left are not among them.
    """
    searches = labeller.ledger.searches
    outdated: dict[str, SearchSettings] = {}
    for search in map(searches.get, search_ids):
        wanted = _labelled_by(labeller.thresholds, search.settings)
        if search.finished_at is not None and not (only_outdated and search.settings == wanted):
            outdated[search.search_id] = wanted
    if not outdated:
        return {}
    changed_pictures = labeller.ledger.form_pictures.settle(rule_of(labeller.thresholds))
    mark_links(labeller.ledger, changed_pictures, labeller.thresholds)
    labeller.ledger.groups.regroup(labeller.thresholds.match_probability)
    changed = {}
    for search_id, settings in track(outdated.items(), "labels", len(outdated)):
        changed[search_id] = label_search(labeller, search_id)
        searches.relabel(search_id, settings)
    return changed


def _labelled_by(thresholds: Thresholds, settings: SearchSettings) -> SearchSettings:
    """A search's settings once these thresholds and the rules in use have labelled it."""
    by = {each.name: getattr(thresholds, each.name) for each in fields(Thresholds)}
    return replace(settings, **by, labels=LABELS_VERSION)


def label_search(labeller: Labeller, search_id: str) -> list[str]:
    """Labels every stored result of a search; returns the query documents whose labels are others now."""
    searches = labeller.ledger.searches
    results = searches.results(search_id)
    changed: list[str] = []
    size = _AT_ONCE if drop_of(search_id) is not None else max(1, len(results))  # a search's queries are one batch
    for start in range(0, len(results), size):
        before = results[start : start + size]
        after = labeller.label(before) if drop_of(search_id) is None else labeller.label_archived(before)
        others = [new for old, new in zip(before, after, strict=True) if new != old]
        searches.record(search_id, others)
        changed += [result.query_document for result in others]
    return changed
