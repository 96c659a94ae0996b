"""Which photos of the archive show the same photograph: links as they were found, and the groups that they make.

A link is kept with the document that it was found for, so that screening that document again replaces its links. A
group is a connected set of linked photos; groups grow with every link and meet, and are looked at as a whole again only
where a link has gone.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, distinct, func, insert, or_, select, update

from doc_assets.archive.ledger.database import LedgerPart
from doc_assets.archive.ledger.photo_sets import Edge, Photo, PhotoSets, changing_sets, components
from doc_assets.archive.ledger.results import PhotoPair
from doc_assets.archive.ledger.rows import columns_of, delete_in, in_parts, row_of, rows_in
from doc_assets.archive.ledger.schema import DocumentRow, PhotoGroup, PhotoGroupMember, PhotoLink

Frame = tuple[float, float, float, float]
_GROUPS = PhotoSets(PhotoGroup, PhotoGroupMember, "group_id")


@dataclass(frozen=True, slots=True)
class StoredLink:
    """That a photo shows what another one shows.

    Attributes:
        query, found: the photo that was searched for, and the one that was found.
        probability: in [0, 1].
        query_area, area: where on each they show the same: left, top, right, bottom in shares.
        pair: the pair as in a result; None between identical files.
        is_form: whether it is a picture of the form that both show; such links join no groups.
    """

    query: Photo
    found: Photo
    probability: float
    query_area: Frame
    area: Frame
    pair: PhotoPair | None
    is_form: bool = False


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """A photo group in numbers; only documents that are in the archive count.

    Attributes:
        group_id: stays as long as the group; of two groups that meet the smaller one.
        n_photos, n_documents: in it.
        n_merchants: known merchants among them.
        first_date: of the earliest document.
    """

    group_id: int
    n_photos: int
    n_documents: int
    n_merchants: int
    first_date: date | None


@dataclass(frozen=True, slots=True)
class GroupMember:
    """A photo of a group, with its document; ``photo`` is None for the file as a whole."""

    group_id: int
    document: str
    document_id: str
    merchant_id: str | None
    document_date: date
    date_source: str
    photo: int | None


class GroupLedger(LedgerPart):
    """The tables ``photo_links``, ``photo_groups`` and ``photo_group_members``: photos of one photograph."""

    def replace(self, row_ids: Collection[int], links: Sequence[StoredLink], threshold: float) -> set[int]:
        """Files the links found for these documents in place of those found for them before.

        Args:
            row_ids: of the documents that were searched for.
            links: found for them.
            threshold: links of this probability or more join groups.

        Returns:
            Rows of the documents whose photo groups gained or lost a photo or a link.
        """
        with changing_sets(self._database) as connection:
            joining = [link for link in links if link.probability >= threshold and not link.is_form]
            gone = _remove_links(connection, row_ids, joining)
            before = _rows_of(connection, gone)
            touched = _regroup(connection, gone, threshold)
            _insert(connection, links)
            touched |= _join(connection, [(link.query, link.found) for link in joining])
            _count(connection, touched)
            return before | _rows_of(connection, touched)

    def forget_superseded(self, document_ids: Collection[str], threshold: float) -> set[int]:
        """Takes versions of these documents that are no longer current out of groups; returns rows as ``replace``."""
        with changing_sets(self._database) as connection:
            return _without(connection, _GROUPS.superseded(connection, document_ids), threshold)

    def forget(self, row_ids: Collection[int], threshold: float) -> set[int]:
        """Takes documents out of their groups; returns rows as ``replace``."""
        with changing_sets(self._database) as connection:
            return _without(connection, row_ids, threshold)

    def mark_form(self, photos: Collection[Photo], is_form: Callable[[StoredLink], bool], threshold: float) -> set[int]:
        """Judges anew which links among these photos are pictures of the form; returns rows as ``replace``."""
        with changing_sets(self._database) as connection:
            wanted = set(photos)
            before = set(_GROUPS.containing(connection, wanted).values())
            concerned = _rows_of(connection, before)
            joining = []
            for link in _links_among(connection, wanted):
                now = is_form(link)
                if now != link.is_form:
                    connection.execute(update(PhotoLink).where(_is_link(link)).values(is_form=now))
                if not now and link.probability >= threshold:
                    joining.append((link.query, link.found))
            touched = _regroup(connection, before, threshold) | _join(connection, joining)
            _count(connection, touched)
            return concerned | _rows_of(connection, touched)

    def regroup(self, threshold: float) -> None:
        """Makes all groups anew from the links of this probability or more."""
        with changing_sets(self._database) as connection:
            connection.execute(delete(PhotoGroupMember))
            connection.execute(delete(PhotoGroup))
            joining = (PhotoLink.probability >= threshold, ~PhotoLink.is_form)
            edges = [_edge(row) for row in connection.execute(_EDGES.where(*joining))]
            _count(connection, {_fill(connection, _GROUPS.new(connection), part) for part in components(edges)})

    def of_rows(self, row_ids: Collection[int]) -> dict[Photo, int]:
        """The groups of all photos of these documents."""
        query = select(PhotoGroupMember.row_id, PhotoGroupMember.photo, PhotoGroupMember.group_id)
        rows = self._database.rows_in(query, PhotoGroupMember.row_id, row_ids)
        return {(row, photo): group for row, photo, group in rows}

    def links(self, groups: Collection[int], threshold: float) -> list[StoredLink]:
        """The links of this probability or more between documents of these groups that are in the archive."""
        one, other = DocumentRow.__table__.alias("one"), DocumentRow.__table__.alias("other")
        is_member = and_(
            PhotoGroupMember.row_id == PhotoLink.query_row, PhotoGroupMember.photo == PhotoLink.query_photo
        )
        query = (
            select(PhotoLink.__table__)
            .join(PhotoGroupMember, is_member)
            .join(one, one.c.id == PhotoLink.query_row)
            .join(other, other.c.id == PhotoLink.row_id)
            .where(PhotoLink.probability >= threshold, ~PhotoLink.is_form, one.c.is_current, other.c.is_current)
        )
        return [_link(row) for row in self._database.rows_in(query, PhotoGroupMember.group_id, groups)]

    def rows_of(self, groups: Collection[int]) -> set[int]:
        """The documents that have a photo in one of these groups, and are in the archive."""
        with self._database.reading() as connection:
            return _rows_of(connection, groups)

    def page(self, limit: int, offset: int = 0) -> tuple[int, list[GroupSummary]]:
        """How many groups there are, and ``limit`` of them from ``offset`` on: those of most merchants first."""
        query = select(*columns_of(GroupSummary, PhotoGroup)).where(PhotoGroup.n_documents > 1)
        order = (PhotoGroup.n_merchants.desc(), PhotoGroup.n_documents.desc(), PhotoGroup.group_id)
        with self._database.reading() as connection:
            total = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
            rows = connection.execute(query.order_by(*order).limit(limit).offset(offset))
            return int(total), [GroupSummary(*row) for row in rows]

    def members(self, groups: Collection[int]) -> list[GroupMember]:
        """The photos of these groups whose documents are in the archive, by group, the earliest document first."""
        document = (DocumentRow.file_name, DocumentRow.document_id, DocumentRow.merchant_id)
        date = (DocumentRow.document_date, DocumentRow.date_source)
        query = (
            select(PhotoGroupMember.group_id, *document, *date, func.nullif(PhotoGroupMember.photo, -1))
            .join(DocumentRow, DocumentRow.id == PhotoGroupMember.row_id)
            .where(DocumentRow.is_current)
            .order_by(PhotoGroupMember.group_id, DocumentRow.document_date, DocumentRow.id, PhotoGroupMember.photo)
        )
        return [GroupMember(*row) for row in self._database.rows_in(query, PhotoGroupMember.group_id, groups)]


_EDGE = (PhotoLink.query_row, PhotoLink.query_photo, PhotoLink.row_id, PhotoLink.photo)
_EDGES = select(*_EDGE)


def _edge(row: Row[tuple[int, int, int, int]]) -> Edge:
    query_row, query_photo, row_id, photo = row
    return (query_row, query_photo), (row_id, photo)


def _row(link: StoredLink) -> dict[str, Any]:
    row = row_of(link) | {column.key: value for column, value in zip(_EDGE, (*link.query, *link.found), strict=True)}
    del row["query"], row["found"]
    return row


def _link(row: Row[Any]) -> StoredLink:
    """A link from all columns of ``photo_links``, in their order."""
    query_row, query_photo, row_id, photo, probability, query_area, area, pair, is_form = row
    query, found = (query_row, query_photo), (row_id, photo)
    return StoredLink(query, found, probability, tuple(query_area), tuple(area), pair, is_form)


def _rows_of(connection: Connection, groups: Collection[int]) -> set[int]:
    query = (
        select(PhotoGroupMember.row_id)
        .distinct()
        .join(DocumentRow, DocumentRow.id == PhotoGroupMember.row_id)
        .where(DocumentRow.is_current)
    )
    return {row for (row,) in rows_in(connection, query, PhotoGroupMember.group_id, groups)}


def _insert(connection: Connection, links: Sequence[StoredLink]) -> None:
    by_probability = sorted(reversed(links), key=lambda link: link.probability)
    best = {(link.query, link.found): link for link in by_probability}  # the most probable; of equal ones the first
    if best:
        connection.execute(insert(PhotoLink), [_row(link) for link in best.values()])


def _remove_links(connection: Connection, row_ids: Collection[int], joining: Sequence[StoredLink]) -> set[int]:
    """Removes the links found for these documents; returns groups in which one is not replaced."""
    kept = {(link.query, link.found) for link in joining}
    edges = [_edge(row) for row in rows_in(connection, _EDGES, PhotoLink.query_row, row_ids)]
    delete_in(connection, PhotoLink, PhotoLink.query_row, row_ids)
    lost = {photo for edge in edges if edge not in kept for photo in edge}
    return set(_GROUPS.containing(connection, lost).values())


def _without(connection: Connection, row_ids: Collection[int], threshold: float) -> set[int]:
    """Removes every link of these documents and makes their groups anew from what is left."""
    touched = _GROUPS.with_photos_of(connection, row_ids)
    for part in in_parts(row_ids):
        connection.execute(delete(PhotoLink).where(or_(PhotoLink.query_row.in_(part), PhotoLink.row_id.in_(part))))
    concerned = _rows_of(connection, touched) - set(row_ids)
    _count(connection, _regroup(connection, touched, threshold))
    return concerned


def _regroup(connection: Connection, groups: Collection[int], threshold: float) -> set[int]:
    """Makes these groups anew from the links among their photos; returns what they became."""
    members: dict[int, set[Photo]] = defaultdict(set)
    query = select(PhotoGroupMember.group_id, PhotoGroupMember.row_id, PhotoGroupMember.photo)
    for group, row, photo in rows_in(connection, query, PhotoGroupMember.group_id, groups):
        members[group].add((row, photo))
    delete_in(connection, PhotoGroupMember, PhotoGroupMember.group_id, groups)
    became: set[int] = set()
    for group, photos in members.items():
        parts = sorted(components(_joined(connection, photos, threshold)), key=len, reverse=True)
        if not parts:
            _GROUPS.remove(connection, group)
        for number, part in enumerate(parts):
            became.add(_fill(connection, _GROUPS.new(connection) if number else group, part))
    return became


def _joined(connection: Connection, photos: set[Photo], threshold: float) -> list[Edge]:
    query = _EDGES.where(PhotoLink.probability >= threshold, ~PhotoLink.is_form)
    edges = [_edge(row) for row in rows_in(connection, query, PhotoLink.query_row, {row for row, _ in photos})]
    return [edge for edge in edges if photos.issuperset(edge)]


def _links_among(connection: Connection, photos: set[Photo]) -> list[StoredLink]:
    """All links among these photos."""
    rows = rows_in(connection, select(PhotoLink.__table__), PhotoLink.query_row, {row for row, _ in photos})
    return [link for link in map(_link, rows) if link.query in photos and link.found in photos]


def _is_link(link: StoredLink) -> ColumnElement[bool]:
    places = zip(_EDGE, (*link.query, *link.found), strict=True)
    return and_(*(column == value for column, value in places))


def _join(connection: Connection, edges: Sequence[Edge]) -> set[int]:
    """Lets the photos of new links join groups, and groups that meet become one; returns the groups that grew."""
    known = _GROUPS.containing(connection, {photo for edge in edges for photo in edge})
    touched = set()
    for groups, _, new in _GROUPS.met(edges, known):
        target, *others = groups or [_GROUPS.new(connection)]
        _GROUPS.merge(connection, target, others)
        touched.add(_fill(connection, target, new))
    return touched


def _fill(connection: Connection, group_id: int, members: Sequence[Photo]) -> int:
    """Puts photos into a group; returns its number."""
    rows = [{"row_id": row, "photo": photo, "group_id": group_id} for row, photo in members]
    if rows:
        connection.execute(insert(PhotoGroupMember), rows)
    return group_id


def _count(connection: Connection, groups: Collection[int]) -> None:
    """Brings the numbers of these groups up to date."""
    query = (
        select(
            PhotoGroupMember.group_id,
            func.count(),
            func.count(distinct(DocumentRow.document_id)),
            func.count(distinct(DocumentRow.merchant_id)),
            func.min(DocumentRow.document_date),
        )
        .join(DocumentRow, DocumentRow.id == PhotoGroupMember.row_id)
        .where(DocumentRow.is_current)
        .group_by(PhotoGroupMember.group_id)
    )
    for row in list(rows_in(connection, query, PhotoGroupMember.group_id, groups)):
        group, *numbers = row
        counted = dict(zip(("n_photos", "n_documents", "n_merchants", "first_date"), numbers, strict=True))
        connection.execute(update(PhotoGroup).where(PhotoGroup.group_id == group).values(counted))
