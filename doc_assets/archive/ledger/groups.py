"""Which photos of the archive show the same photograph: links as they were found, and the groups that they make.

A link is kept with the document that it was found for, so that screening that document again replaces its links. A
group is a connected set of linked photos; groups grow with every link and meet, and are looked at as a whole again only
where a link has gone.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, distinct, func, insert, or_, select, text, update

from doc_assets.archive.ledger.database import Database
from doc_assets.archive.ledger.rows import in_parts
from doc_assets.archive.ledger.schema import DocumentRow, PhotoGroup, PhotoGroupMember, PhotoLink

Photo = tuple[int, int]
"""Row of ``documents`` and place of the photo in it, from 0; -1 for the file as a whole."""
Frame = tuple[float, float, float, float]
_GROUP_LOCK = 7_202_611_27  # any number; PostgreSQL advisory lock of changes to groups


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
    pair: dict[str, Any] | None
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


class GroupLedger:
    """The tables ``photo_links``, ``photo_groups`` and ``photo_group_members``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def replace(self, row_ids: Collection[int], links: Sequence[StoredLink], threshold: float) -> set[int]:
        """Files the links found for these documents in place of those found for them before.

        Args:
            row_ids: of the documents that were searched for.
            links: found for them.
            threshold: links of this probability or more join groups.

        Returns:
            Rows of the documents whose photo groups gained or lost a photo or a link.
        """
        with self._database.writing() as connection:
            lock_groups(connection)
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
        with self._database.writing() as connection:
            lock_groups(connection)
            old: set[int] = set()
            for part in in_parts(sorted(document_ids)):
                query = select(distinct(PhotoGroupMember.row_id)).join(
                    DocumentRow, DocumentRow.id == PhotoGroupMember.row_id
                )
                old |= set(
                    connection.execute(
                        query.where(DocumentRow.document_id.in_(part), ~DocumentRow.is_current)
                    ).scalars()
                )
            return _without(connection, old, threshold)

    def forget(self, row_ids: Collection[int], threshold: float) -> set[int]:
        """Takes documents out of their groups; returns rows as ``replace``."""
        with self._database.writing() as connection:
            lock_groups(connection)
            return _without(connection, row_ids, threshold)

    def mark_form(self, photos: Collection[Photo], is_form: Callable[[StoredLink], bool], threshold: float) -> set[int]:
        """Judges anew which links among these photos are pictures of the form; returns rows as ``replace``."""
        with self._database.writing() as connection:
            lock_groups(connection)
            wanted = set(photos)
            before = set(_groups_of(connection, wanted).values())
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
        with self._database.writing() as connection:
            lock_groups(connection)
            connection.execute(delete(PhotoGroupMember))
            connection.execute(delete(PhotoGroup))
            rows = connection.execute(
                select(PhotoLink.query_row, PhotoLink.query_photo, PhotoLink.row_id, PhotoLink.photo).where(
                    PhotoLink.probability >= threshold, ~PhotoLink.is_form
                )
            ).all()
            groups = components([((a, b), (c, d)) for a, b, c, d in rows])
            _count(connection, {_new_group(connection, members) for members in groups})

    def of_rows(self, row_ids: Collection[int]) -> dict[Photo, int]:
        """The groups of all photos of these documents."""
        found: dict[Photo, int] = {}
        with self._database.reading() as connection:
            for part in in_parts(sorted(row_ids)):
                query = select(PhotoGroupMember.row_id, PhotoGroupMember.photo, PhotoGroupMember.group_id)
                rows = connection.execute(query.where(PhotoGroupMember.row_id.in_(part)))
                found |= {(row, photo): group for row, photo, group in rows}
        return found

    def links(self, groups: Collection[int], threshold: float) -> list[StoredLink]:
        """The links of this probability or more between documents of these groups that are in the archive."""
        found: list[StoredLink] = []
        one, other = DocumentRow.__table__.alias("one"), DocumentRow.__table__.alias("other")
        for part in in_parts(sorted(groups)):
            query = (
                select(
                    PhotoLink.query_row,
                    PhotoLink.query_photo,
                    PhotoLink.row_id,
                    PhotoLink.photo,
                    PhotoLink.probability,
                    PhotoLink.query_area,
                    PhotoLink.area,
                    PhotoLink.pair,
                )
                .join(
                    PhotoGroupMember,
                    and_(
                        PhotoGroupMember.row_id == PhotoLink.query_row, PhotoGroupMember.photo == PhotoLink.query_photo
                    ),
                )
                .join(one, one.c.id == PhotoLink.query_row)
                .join(other, other.c.id == PhotoLink.row_id)
                .where(
                    PhotoGroupMember.group_id.in_(part),
                    PhotoLink.probability >= threshold,
                    ~PhotoLink.is_form,
                    one.c.is_current,
                    other.c.is_current,
                )
            )
            with self._database.reading() as connection:
                for a, b, c, d, probability, query_area, area, pair in connection.execute(query):
                    found.append(StoredLink((a, b), (c, d), probability, tuple(query_area), tuple(area), pair))
        return found

    def rows_of(self, groups: Collection[int]) -> set[int]:
        """The documents that have a photo in one of these groups, and are in the archive."""
        with self._database.reading() as connection:
            return _rows_of(connection, groups)

    def page(self, limit: int, offset: int = 0) -> tuple[int, list[GroupSummary]]:
        """How many groups there are, and ``limit`` of them from ``offset`` on: those of most merchants first."""
        query = select(
            PhotoGroup.group_id,
            PhotoGroup.n_photos,
            PhotoGroup.n_documents,
            PhotoGroup.n_merchants,
            PhotoGroup.first_date,
        ).where(PhotoGroup.n_documents > 1)
        order = (PhotoGroup.n_merchants.desc(), PhotoGroup.n_documents.desc(), PhotoGroup.group_id)
        with self._database.reading() as connection:
            total = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
            rows = connection.execute(query.order_by(*order).limit(limit).offset(offset))
            return int(total), [GroupSummary(*row) for row in rows]

    def members(self, groups: Collection[int]) -> list[GroupMember]:
        """The photos of these groups whose documents are in the archive, by group, the earliest document first."""
        found: list[GroupMember] = []
        with self._database.reading() as connection:
            for part in in_parts(sorted(groups)):
                query = (
                    select(
                        PhotoGroupMember.group_id,
                        DocumentRow.file_name,
                        DocumentRow.document_id,
                        DocumentRow.merchant_id,
                        DocumentRow.document_date,
                        DocumentRow.date_source,
                        PhotoGroupMember.photo,
                    )
                    .join(DocumentRow, DocumentRow.id == PhotoGroupMember.row_id)
                    .where(PhotoGroupMember.group_id.in_(part), DocumentRow.is_current)
                )
                order = (PhotoGroupMember.group_id, DocumentRow.document_date, DocumentRow.id, PhotoGroupMember.photo)
                for group, name, document_id, merchant_id, day, source, photo in connection.execute(
                    query.order_by(*order)
                ):
                    place = None if photo < 0 else photo
                    found.append(GroupMember(group, name, document_id, merchant_id, day, source, place))
        return found


def lock_groups(connection: Connection) -> None:
    """Makes other changes to groups wait; SQLite has taken its write lock already."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _GROUP_LOCK})


def _rows_of(connection: Connection, groups: Collection[int]) -> set[int]:
    found: set[int] = set()
    for part in in_parts(sorted(groups)):
        query = (
            select(distinct(PhotoGroupMember.row_id))
            .join(DocumentRow, DocumentRow.id == PhotoGroupMember.row_id)
            .where(PhotoGroupMember.group_id.in_(part), DocumentRow.is_current)
        )
        found |= set(connection.execute(query).scalars())
    return found


def _insert(connection: Connection, links: Sequence[StoredLink]) -> None:
    best: dict[tuple[Photo, Photo], StoredLink] = {}
    for link in links:
        known = best.get((link.query, link.found))
        if known is None or known.probability < link.probability:
            best[link.query, link.found] = link
    rows = [
        {
            "query_row": link.query[0],
            "query_photo": link.query[1],
            "row_id": link.found[0],
            "photo": link.found[1],
            "probability": link.probability,
            "query_area": list(link.query_area),
            "area": list(link.area),
            "pair": link.pair,
            "is_form": link.is_form,
        }
        for link in best.values()
    ]
    if rows:
        connection.execute(insert(PhotoLink), rows)


def _remove_links(connection: Connection, row_ids: Collection[int], joining: Sequence[StoredLink]) -> set[int]:
    """Removes the links found for these documents; returns groups in which one is not replaced."""
    kept = {(link.query, link.found) for link in joining}
    lost: set[Photo] = set()
    for part in in_parts(sorted(row_ids)):
        query = select(PhotoLink.query_row, PhotoLink.query_photo, PhotoLink.row_id, PhotoLink.photo)
        for a, b, c, d in connection.execute(query.where(PhotoLink.query_row.in_(part))):
            if ((a, b), (c, d)) not in kept:
                lost |= {(a, b), (c, d)}
        connection.execute(delete(PhotoLink).where(PhotoLink.query_row.in_(part)))
    return set(_groups_of(connection, lost).values())


def _without(connection: Connection, row_ids: Collection[int], threshold: float) -> set[int]:
    """Removes every link of these documents and makes their groups anew from what is left."""
    touched: set[int] = set()
    for part in in_parts(sorted(row_ids)):
        query = select(distinct(PhotoGroupMember.group_id)).where(PhotoGroupMember.row_id.in_(part))
        touched |= set(connection.execute(query).scalars())
        connection.execute(delete(PhotoLink).where(or_(PhotoLink.query_row.in_(part), PhotoLink.row_id.in_(part))))
    concerned = _rows_of(connection, touched) - set(row_ids)
    _count(connection, _regroup(connection, touched, threshold))
    return concerned


def _regroup(connection: Connection, groups: Collection[int], threshold: float) -> set[int]:
    """Makes these groups anew from the links among their photos; returns what they became."""
    members: dict[int, set[Photo]] = defaultdict(set)
    for part in in_parts(sorted(groups)):
        query = select(PhotoGroupMember.group_id, PhotoGroupMember.row_id, PhotoGroupMember.photo)
        for group, row, photo in connection.execute(query.where(PhotoGroupMember.group_id.in_(part))):
            members[group].add((row, photo))
        connection.execute(delete(PhotoGroupMember).where(PhotoGroupMember.group_id.in_(part)))
    became: set[int] = set()
    for group, photos in members.items():
        parts = sorted(components(_joined(connection, photos, threshold)), key=len, reverse=True)
        if not parts:
            connection.execute(delete(PhotoGroup).where(PhotoGroup.group_id == group))
        for number, part_ in enumerate(parts):
            became.add(_fill(connection, group, part_) if number == 0 else _new_group(connection, part_))
    return became


def _joined(connection: Connection, photos: set[Photo], threshold: float) -> list[tuple[Photo, Photo]]:
    found = []
    for part in in_parts(sorted({row for row, _ in photos})):
        query = select(PhotoLink.query_row, PhotoLink.query_photo, PhotoLink.row_id, PhotoLink.photo)
        joins = (PhotoLink.probability >= threshold, ~PhotoLink.is_form)
        rows = connection.execute(query.where(PhotoLink.query_row.in_(part), *joins))
        found += [((a, b), (c, d)) for a, b, c, d in rows if (a, b) in photos and (c, d) in photos]
    return found


def _links_among(connection: Connection, photos: set[Photo]) -> list[StoredLink]:
    """All links among these photos."""
    found: list[StoredLink] = []
    for part in in_parts(sorted({row for row, _ in photos})):
        rows = connection.execute(select(PhotoLink.__table__).where(PhotoLink.query_row.in_(part))).mappings()
        links = [
            StoredLink(
                (row["query_row"], row["query_photo"]),
                (row["row_id"], row["photo"]),
                row["probability"],
                tuple(row["query_area"]),
                tuple(row["area"]),
                row["pair"],
                row["is_form"],
            )
            for row in rows
        ]
        found += [link for link in links if link.query in photos and link.found in photos]
    return found


def _is_link(link: StoredLink) -> ColumnElement[bool]:
    return and_(
        PhotoLink.query_row == link.query[0],
        PhotoLink.query_photo == link.query[1],
        PhotoLink.row_id == link.found[0],
        PhotoLink.photo == link.found[1],
    )


def _join(connection: Connection, edges: Sequence[tuple[Photo, Photo]]) -> set[int]:
    """Lets the photos of new links join groups, and groups that meet become one; returns the groups that grew."""
    known = _groups_of(connection, {photo for edge in edges for photo in edge})
    touched = set()
    for members in components([*edges, *_same_group(known)]):
        groups = sorted({known[photo] for photo in members if photo in known})
        new = [photo for photo in members if photo not in known]
        if not groups:
            touched.add(_new_group(connection, new))
            continue
        target, *others = groups
        for part in in_parts(others):
            moving = update(PhotoGroupMember).where(PhotoGroupMember.group_id.in_(part))
            connection.execute(moving.values(group_id=target))
            connection.execute(delete(PhotoGroup).where(PhotoGroup.group_id.in_(part)))
        touched.add(_fill(connection, target, new))
    return touched


def _same_group(known: dict[Photo, int]) -> list[tuple[Photo, Photo]]:
    """Links that stand for the groups which photos have already."""
    first: dict[int, Photo] = {}
    return [(first.setdefault(group, photo), photo) for photo, group in known.items()]


def components(edges: Iterable[tuple[Photo, Photo]]) -> list[list[Photo]]:
    """Connected sets of photos; union by path halving."""
    parent: dict[Photo, Photo] = {}

    def root(photo: Photo) -> Photo:
        parent.setdefault(photo, photo)
        while parent[photo] != photo:
            parent[photo] = parent[parent[photo]]
            photo = parent[photo]
        return photo

    for one, other in edges:
        parent[root(one)] = root(other)
    sets: dict[Photo, list[Photo]] = defaultdict(list)
    for photo in parent:
        sets[root(photo)].append(photo)
    return [sorted(members) for members in sets.values()]


def _groups_of(connection: Connection, photos: Collection[Photo]) -> dict[Photo, int]:
    wanted = set(photos)
    found: dict[Photo, int] = {}
    for part in in_parts(sorted({row for row, _ in wanted})):
        query = select(PhotoGroupMember.row_id, PhotoGroupMember.photo, PhotoGroupMember.group_id)
        rows = connection.execute(query.where(PhotoGroupMember.row_id.in_(part)))
        found |= {(row, photo): group for row, photo, group in rows if (row, photo) in wanted}
    return found


def _new_group(connection: Connection, members: Sequence[Photo]) -> int:
    made = connection.execute(insert(PhotoGroup).values(n_photos=0, n_documents=0, n_merchants=0))
    (group_id,) = made.inserted_primary_key or (0,)
    return _fill(connection, int(group_id), members)


def _fill(connection: Connection, group_id: int, members: Sequence[Photo]) -> int:
    rows = [{"row_id": row, "photo": photo, "group_id": group_id} for row, photo in members]
    if rows:
        connection.execute(insert(PhotoGroupMember), rows)
    return group_id


def _count(connection: Connection, groups: Collection[int]) -> None:
    """Brings the numbers of these groups up to date."""
    for part in in_parts(sorted(groups)):
        query = (
            select(
                PhotoGroupMember.group_id,
                func.count(),
                func.count(distinct(DocumentRow.document_id)),
                func.count(distinct(DocumentRow.merchant_id)),
                func.min(DocumentRow.document_date),
            )
            .join(DocumentRow, DocumentRow.id == PhotoGroupMember.row_id)
            .where(PhotoGroupMember.group_id.in_(part), DocumentRow.is_current)
            .group_by(PhotoGroupMember.group_id)
        )
        for group, n_photos, n_documents, n_merchants, first in connection.execute(query).all():
            connection.execute(
                update(PhotoGroup)
                .where(PhotoGroup.group_id == group)
                .values(n_photos=n_photos, n_documents=n_documents, n_merchants=n_merchants, first_date=first)
            )
