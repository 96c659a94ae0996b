"""Pictures that belong to the form: sets of photos that show the same, how they were recognised, and who decided.

A set grows with every pair of photos that is a picture of the form by its look, or that shows the same at the same
place of the page; sets that meet become one. What a set is follows from its photos, until an operator decides.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, and_, case, delete, distinct, func, insert, select, update

from doc_assets.archive.ledger.database import LedgerPart
from doc_assets.archive.ledger.photo_sets import Photo, PhotoSets, changing_sets
from doc_assets.archive.ledger.rows import delete_in, record_of, rows_in
from doc_assets.archive.ledger.schema import DocumentRow, FormPictureMember, FormPictureRow
from doc_assets.datatypes import Box
from doc_assets.errors import InputError

LookOfForm = Literal["code", "graphics"]
RecognisedBy = Literal["code", "graphics", "frequency", "confirmation"]
Decision = Literal["confirmed", "undone"]
PictureState = Literal["recognised", "candidate", "confirmed", "undone", "watched"]
LISTED: tuple[PictureState, ...] = ("candidate", "confirmed", "recognised", "undone")
"""In this order; what is watched is shown by too few merchants to be anything."""
_PICTURES = PhotoSets(FormPictureRow, FormPictureMember, "picture_id")
_SUREST: tuple[LookOfForm | None, ...] = ("code", "graphics", None)
_COUNTED_ANEW = 2000
"""Sets up to so many photos are counted anew when they grow; of larger ones, which forms print into every document,
only what is new is added, so that a drop does not cost more with every drop before it."""


@dataclass(frozen=True, slots=True)
class PagePlace:
    """Where a photo stands on its page.

    Attributes:
        page_index: from 0.
        box: in pixels of the page.
        page_size: the page's width and height in the same pixels; None for pages read before they were noted.
    """

    page_index: int
    box: Box
    page_size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class SeenPhoto:
    """A photo of a pair; ``flatness`` is how probable its look is for drawn graphics, in [0, 1]."""

    photo: Photo
    place: PagePlace
    flatness: float


@dataclass(frozen=True, slots=True)
class SeenPair:
    """Two photos that show the same; ``by`` is the look that makes them a picture of the form, None if none does."""

    one: SeenPhoto
    other: SeenPhoto
    by: LookOfForm | None


@dataclass(frozen=True, slots=True)
class FormPictureRule:
    """When photos at the same place are a picture of the form.

    Attributes:
        merchants: so many known merchants or more show it.
        flatness: and the mean flatness of its photos is at least this, in [0, 1]; otherwise it is a candidate.
    """

    merchants: int = 3
    flatness: float = 0.5


@dataclass(frozen=True, slots=True)
class KnownPicture:
    """What is known of the picture that a photo shows.

    Attributes:
        picture_id: stays as long as the set.
        state: ``recognised`` by itself; a ``candidate`` for an operator; ``confirmed`` or ``undone`` by one;
            ``watched`` if too few merchants show it.
        by: what recognised it; None of candidates and of what is watched.
        place: where this photo stands.
    """

    picture_id: int
    state: PictureState
    by: RecognisedBy | None
    place: PagePlace


@dataclass(frozen=True, slots=True)
class FormPicture:
    """A set of photos in numbers; only documents that are in the archive count.

    Attributes:
        picture_id, state, recognised_by: as of ``KnownPicture``.
        document, document_id, photo: the photo that stands for it, of the earliest document; photos from 0.
        place: where that stands.
        flatness: mean of its photos, in [0, 1].
        n_photos, n_documents, n_merchants: that show it; merchants as far as they are known, and of sets of more than
            2,000 photos those of the first 2,000.
        decided_by, decided_at: who confirmed or undid it, and when.
    """

    picture_id: int
    state: PictureState
    recognised_by: RecognisedBy | None
    document: str
    document_id: str
    photo: int
    place: PagePlace
    flatness: float
    n_photos: int
    n_documents: int
    n_merchants: int
    decided_by: str | None
    decided_at: datetime | None


class FormPictureLedger(LedgerPart):
    """The tables ``form_pictures`` and ``form_picture_members``: which photos show a picture of the form."""

    def add(self, pairs: Sequence[SeenPair], rule: FormPictureRule) -> set[int]:
        """Files pairs that are pictures of the form or may come to be.

        Returns:
            The pictures that are others now than they were: recognised, or no longer.
        """
        if not pairs:
            return set()
        with changing_sets(self._database) as connection:
            photos = {seen.photo: seen for pair in pairs for seen in (pair.one, pair.other)}
            _remove_cut_anew(connection, photos)
            grown = _join(connection, pairs, photos)
            return _settle(connection, grown, rule)

    def settle(self, rule: FormPictureRule) -> set[int]:
        """Says anew what pictures are that nobody decided on, as after a change of the rule; returns as ``add``."""
        with changing_sets(self._database) as connection:
            undecided = select(FormPictureRow.picture_id).where(FormPictureRow.decided_at.is_(None))
            return _settle(connection, dict.fromkeys(connection.execute(undecided).scalars(), 0), rule)

    def forget(self, row_ids: Collection[int], rule: FormPictureRule) -> set[int]:
        """Takes documents out; returns pictures as ``add``."""
        with changing_sets(self._database) as connection:
            return _without(connection, row_ids, rule)

    def forget_superseded(self, document_ids: Collection[str], rule: FormPictureRule) -> set[int]:
        """Takes versions of these documents that are no longer current out; returns pictures as ``add``."""
        with changing_sets(self._database) as connection:
            return _without(connection, _PICTURES.superseded(connection, document_ids), rule)

    def of_rows(self, row_ids: Collection[int]) -> dict[Photo, KnownPicture]:
        """The pictures that photos of these documents show, as far as they show any."""
        known = (FormPictureRow.picture_id, FormPictureRow.state, FormPictureRow.recognised_by)
        is_in = FormPictureRow.picture_id == FormPictureMember.picture_id
        query = select(FormPictureMember.row_id, FormPictureMember.photo, *known, *_PLACE).join(FormPictureRow, is_in)
        found = {}
        for row, photo, picture, state, by, *place in self._database.rows_in(query, FormPictureMember.row_id, row_ids):
            found[row, photo] = KnownPicture(picture, state, by, _place(*place))
        return found

    def photos_of(self, pictures: Collection[int]) -> list[Photo]:
        """The photos that show these pictures, of documents that are in the archive."""
        query = (
            select(FormPictureMember.row_id, FormPictureMember.photo)
            .join(DocumentRow, DocumentRow.id == FormPictureMember.row_id)
            .where(DocumentRow.is_current)
        )
        return [(row, photo) for row, photo in self._database.rows_in(query, FormPictureMember.picture_id, pictures)]

    def decide(self, picture_id: int, state: Decision, who: str, when: datetime) -> None:
        """Notes an operator's decision.

        Raises:
            InputError: if there is no such picture, or the decision stands already.
        """
        with changing_sets(self._database) as connection:
            wanted = FormPictureRow.picture_id == picture_id
            query = select(FormPictureRow.state, FormPictureRow.decided_by).where(wanted)
            known = connection.execute(query).one_or_none()
            if known is None or known.state == "watched":
                raise InputError(f"There is no picture {picture_id}. `doc-assets form-pictures` lists them.")
            if known.state == state:
                raise InputError(f"Picture {picture_id} is {state} already, by {known.decided_by}.")
            values: dict[str, Any] = {"state": state, "decided_by": who, "decided_at": when}
            if state == "confirmed":
                values["recognised_by"] = "confirmation"
            connection.execute(update(FormPictureRow).where(wanted).values(**values))

    def page(self, limit: int, offset: int = 0) -> tuple[int, list[FormPicture]]:
        """How many pictures there are, and ``limit`` of them from ``offset`` on: candidates, then by merchants."""
        listed = FormPictureRow.state.in_(LISTED)
        query = (
            select(FormPictureRow.__table__, DocumentRow.file_name.label("document"), DocumentRow.document_id, *_PLACE)
            .join(DocumentRow, DocumentRow.id == FormPictureRow.row_id)
            .join(FormPictureMember, _IS_STANDING)
            .where(listed)
            .order_by(
                case({state: number for number, state in enumerate(LISTED)}, value=FormPictureRow.state),
                FormPictureRow.n_merchants.desc(),
                FormPictureRow.n_documents.desc(),
                FormPictureRow.picture_id,
            )
        )
        with self._database.reading() as connection:
            total = connection.execute(select(func.count()).select_from(FormPictureRow).where(listed)).scalar_one()
            rows = connection.execute(query.limit(limit).offset(offset)).mappings().all()
        places = [_place(row["page_index"], row["box"], row["page_size"]) for row in rows]
        return total, [record_of(FormPicture, row, place=place) for row, place in zip(rows, places, strict=True)]


_PLACE = (FormPictureMember.page_index, FormPictureMember.box, FormPictureMember.page_size)
_IS_STANDING = and_(FormPictureMember.row_id == FormPictureRow.row_id, FormPictureMember.photo == FormPictureRow.photo)


def _place(page_index: int, box: Sequence[int], page_size: Sequence[int] | None) -> PagePlace:
    return PagePlace(page_index, Box(*box), None if page_size is None else (page_size[0], page_size[1]))


def _without(connection: Connection, row_ids: Collection[int], rule: FormPictureRule) -> set[int]:
    left = _PICTURES.with_photos_of(connection, row_ids)
    delete_in(connection, FormPictureMember, FormPictureMember.row_id, row_ids)
    return _settle(connection, dict.fromkeys(left, 0), rule)


def _remove_cut_anew(connection: Connection, photos: Mapping[Photo, SeenPhoto]) -> None:
    """Photos that stand in another box than was noted are others: their document was cut anew."""
    query = select(FormPictureMember.row_id, FormPictureMember.photo, FormPictureMember.box)
    rows = {row for row, _ in photos}
    for row, photo, box in list(rows_in(connection, query, FormPictureMember.row_id, rows)):
        seen = photos.get((row, photo))
        if seen is not None and seen.place.box.as_list() != list(box):
            connection.execute(delete(FormPictureMember).where(_is_photo((row, photo))))


def _is_photo(photo: Photo) -> ColumnElement[bool]:
    return and_(FormPictureMember.row_id == photo[0], FormPictureMember.photo == photo[1])


def _join(connection: Connection, pairs: Sequence[SeenPair], photos: Mapping[Photo, SeenPhoto]) -> dict[int, int]:
    """Lets photos join sets, and sets that meet become one; returns the sets, each with the number of new photos."""
    known = _PICTURES.containing(connection, photos)
    looks: dict[Photo, LookOfForm | None] = {}
    for pair in pairs:
        for photo in (pair.one.photo, pair.other.photo):
            looks[photo] = min(looks.get(photo), pair.by, key=_SUREST.index)
    grown: dict[int, int] = {}
    for sets, members, new in _PICTURES.met([(pair.one.photo, pair.other.photo) for pair in pairs], known):
        picture = _met(connection, sets) if sets else _PICTURES.new(connection, state="watched", flatness=0.0)
        if new:
            rows = [_member(picture, photos[photo], looks[photo]) for photo in new]
            connection.execute(insert(FormPictureMember), rows)
        for photo in members:
            if photo in known and looks[photo] is not None:
                connection.execute(update(FormPictureMember).where(_is_photo(photo)).values(look=looks[photo]))
        grown[picture] = len(new)
    return grown


def _member(picture: int, seen: SeenPhoto, look: LookOfForm | None) -> dict[str, Any]:
    return {
        "row_id": seen.photo[0],
        "photo": seen.photo[1],
        "picture_id": picture,
        "page_index": seen.place.page_index,
        "box": seen.place.box.as_list(),
        "page_size": None if seen.place.page_size is None else list(seen.place.page_size),
        "flatness": seen.flatness,
        "look": look,
    }


def _met(connection: Connection, pictures: Sequence[int]) -> int:
    """Makes these sets one, with the last decision on any of them; returns which it is."""
    target, *others = pictures
    if not others:
        return target
    decided = connection.execute(
        select(FormPictureRow.state, FormPictureRow.recognised_by, FormPictureRow.decided_by, FormPictureRow.decided_at)
        .where(FormPictureRow.picture_id.in_(pictures), FormPictureRow.decided_at.is_not(None))
        .order_by(FormPictureRow.decided_at.desc())
        .limit(1)
    ).mappings()
    for row in decided:
        connection.execute(update(FormPictureRow).where(FormPictureRow.picture_id == target).values(**row))
    _PICTURES.merge(connection, target, others)
    return target


def _settle(connection: Connection, grown: Mapping[int, int], rule: FormPictureRule) -> set[int]:
    """Counts sets and says what they are; returns those that are something else now."""
    changed: set[int] = set()
    for picture, new in grown.items():
        is_it = FormPictureRow.picture_id == picture
        query = select(FormPictureRow.state, FormPictureRow.n_photos, FormPictureRow.n_documents)
        was = connection.execute(query.where(is_it)).one()
        if new and was.n_photos > _COUNTED_ANEW:
            more = {"n_photos": was.n_photos + new, "n_documents": was.n_documents + new}
            connection.execute(update(FormPictureRow).where(is_it).values(**more))
            continue
        values = _counted(connection, picture)
        if values is None:
            _PICTURES.remove(connection, picture)
            continue
        if was.state not in {"confirmed", "undone"}:
            state, by = _state(values, rule)
            values |= {"state": state, "recognised_by": by}
            if (state == "recognised") != (was.state == "recognised"):
                changed.add(picture)
        values.pop("look")
        connection.execute(update(FormPictureRow).where(is_it).values(**values))
    return changed


def _counted(connection: Connection, picture: int) -> dict[str, Any] | None:
    """What the photos of a set in current documents come to; None if there are none."""
    members = (
        select(FormPictureMember.row_id, FormPictureMember.photo)
        .join(DocumentRow, DocumentRow.id == FormPictureMember.row_id)
        .where(FormPictureMember.picture_id == picture, DocumentRow.is_current)
    )
    counted = connection.execute(
        members.with_only_columns(
            func.count().label("n_photos"),
            func.count(distinct(DocumentRow.document_id)).label("n_documents"),
            func.count(distinct(DocumentRow.merchant_id)).label("n_merchants"),
            func.avg(FormPictureMember.flatness).label("flatness"),
            func.min(FormPictureMember.look).label("look"),  # "code" before "graphics"
        )
    ).mappings()
    standing = connection.execute(
        members.order_by(DocumentRow.document_date, DocumentRow.id, FormPictureMember.photo).limit(1)
    ).one_or_none()
    return None if standing is None else {**counted.one(), "row_id": standing.row_id, "photo": standing.photo}


def _state(values: Mapping[str, Any], rule: FormPictureRule) -> tuple[PictureState, RecognisedBy | None]:
    if values["look"] is not None:
        return "recognised", values["look"]
    if values["n_merchants"] < rule.merchants:
        return "watched", None
    return ("recognised", "frequency") if values["flatness"] >= rule.flatness else ("candidate", None)
