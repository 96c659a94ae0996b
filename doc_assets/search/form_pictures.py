"""Which pairs of photos are pictures of the form: by their look, by place and frequency, by an operator's word.

Pure rules on small values. What is drawn needs no more than its look. What may be drawn needs several merchants that
show it at the same place of the page. What looks like a photograph needs an operator: a forger's photograph that many
merchants re-use must not hide here.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from doc_assets.archive.ledger.form_pictures import FormPictureRule, KnownPicture, PagePlace, SeenPair, SeenPhoto
from doc_assets.archive.ledger.pages import PageOf
from doc_assets.archive.ledger.results import PhotoPair, ResultRecord
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.ledger.search_settings import Thresholds
from doc_assets.datatypes import Box
from doc_assets.search.findings import archived_finds
from doc_assets.search.kinds import FLAT_MAYBE, form_look, likeness_kind, may_be_drawn

_SAME_PLACE = 0.02
"""Of the page's sides: half a centimetre of a page, which feeders and inspectors' programs move pictures by."""


def rule_of(thresholds: Thresholds) -> FormPictureRule:
    """When photos at the same place are a picture of the form, by the thresholds in use."""
    return FormPictureRule(thresholds.form_picture_merchants, FLAT_MAYBE)


def is_form_picture(pair: PhotoPair, known: Collection[KnownPicture]) -> bool:
    """Whether a pair that shows the same is a picture of the form; ``known`` are those of the ledger that it shows."""
    said = said_of(pair, known)
    return form_look(pair) is not None if said is None else said


def said_of(pair: PhotoPair, known: Collection[KnownPicture]) -> bool | None:
    """Whether the ledger says that a pair is a picture of the form; None if it leaves that to their looks.

    An operator's word holds wherever the picture stands if it may be drawn, and at its place if it looks like a
    photograph. What two documents show drawn is the form's in every other photo that may be drawn, whose scan hides
    more; what was recognised by frequency alone holds at its place, for photos that may be drawn.
    """
    states = {picture.state for picture in known}
    if "undone" in states:
        return False
    maybe_drawn = both_may_be_drawn(pair)
    for picture in known:
        in_place = pair_is_in_place(pair, picture.place)
        if picture.state == "confirmed" and (in_place or maybe_drawn):
            return True
        if picture.state == "recognised" and maybe_drawn and (in_place or picture.by != "frequency"):
            return True
    return None


def drawn_in_search(results: Iterable[ResultRecord], thresholds: Thresholds) -> set[tuple[str, int]]:
    """Photos, by document id and number, that a pair of these results shows drawn, as the other photo of the pair.

    With ``placed_in_search`` the rules of the ledger on what a search found itself, for an archive of which nobody has
    looked at the drops yet.
    """
    drawn: set[tuple[str, int]] = set()
    for result in results:
        for found in result.top_docs:
            for pair in found.matches:
                if form_look(pair) is not None and likeness_kind(pair, thresholds) is not None:
                    drawn |= {(result.document_id, pair.query_photo), (found.document_id, pair.photo)}
    return drawn


def placed_in_search(
    pairs: Sequence[tuple[str | None, PhotoPair]], own_merchant: str | None, thresholds: Thresholds
) -> list[bool]:
    """Which pairs of one query photo show what enough known merchants show at the same place of the page.

    Each pair comes with the merchant of the found document, ``own_merchant`` is the query's.
    """
    placed = [
        likeness_kind(pair, thresholds) is not None
        and both_may_be_drawn(pair)
        and pair_is_in_place(pair, PagePlace(pair.page - 1, Box(*pair.box)))
        for _, pair in pairs
    ]
    merchants = {own_merchant, *(merchant for (merchant, _), here in zip(pairs, placed, strict=True) if here)} - {None}
    return placed if len(merchants) >= thresholds.form_picture_merchants else [False] * len(pairs)


def pair_is_in_place(pair: PhotoPair, place: PagePlace) -> bool:
    """Whether both photos of a pair stand at this place of their pages."""
    places = PagePlace(pair.query_page - 1, Box(*pair.query_box)), PagePlace(pair.page - 1, Box(*pair.box))
    return all(is_same_place(each, place) for each in places)


def both_may_be_drawn(pair: PhotoPair) -> bool:
    """Whether neither photo of a pair is clearly a photograph."""
    return pair.looks is not None and all(map(may_be_drawn, pair.looks))


def is_same_place(one: PagePlace, other: PagePlace) -> bool:
    """Whether two photos stand at the same place of their pages, in the same size, within 2 % of the page.

    Where the size of a page is not known, the boxes are compared by their proportions: as if the scale of the two scans
    were the only difference.
    """
    if one.page_size is not None and other.page_size is not None:
        return all(abs(a - b) <= _SAME_PLACE for a, b in zip(_shares(one), _shares(other), strict=True))
    scale = (one.box.area / other.box.area) ** 0.5
    most = _SAME_PLACE * max(one.box.right, one.box.bottom)
    return all(abs(a - b * scale) <= most for a, b in zip(one.box.as_list(), other.box.as_list(), strict=True))


def _shares(place: PagePlace) -> list[float]:
    width, height = place.page_size or (1, 1)
    box = place.box
    return [box.left / width, box.top / height, box.right / width, box.bottom / height]


def seen_pairs(
    results: Sequence[ResultRecord],
    rows: Mapping[str, Document],
    found: Mapping[str, Document],
    sizes: Mapping[PageOf, tuple[int, int]],
    thresholds: Thresholds,
) -> Iterator[SeenPair]:
    """Pairs in results of archived documents that are pictures of the form or may come to be.

    ``rows`` are these documents by id, ``found`` the current ones that they name, ``sizes`` those of noted pages.
    """
    for _, query, each, other in archived_finds(results, rows, found):
        for pair in each.matches:
            kind, by = likeness_kind(pair, thresholds), form_look(pair)
            if kind is None:
                continue
            flat = (0.0, 0.0) if pair.looks is None else (pair.looks[0].flatness, pair.looks[1].flatness)
            one = _seen(query, pair.query_photo, pair.query_page, pair.query_box, sizes, flat[0])
            another = _seen(other, pair.photo, pair.page, pair.box, sizes, flat[1])
            shown_alike = kind == "same_photograph" and is_same_place(one.place, another.place)
            if by is not None or shown_alike:
                yield SeenPair(one, another, by)


def _seen(
    document: Document,
    photo: int,
    page: int,
    box: Sequence[int],
    sizes: Mapping[PageOf, tuple[int, int]],
    flatness: float,
) -> SeenPhoto:
    size = sizes.get((str(document.sha256), page - 1))
    return SeenPhoto((document.id, photo), PagePlace(page - 1, Box(*box), size), flatness)
