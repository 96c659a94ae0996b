"""Sets of photos that show the same: what photo groups and pictures of the form have in common."""

import contextlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select, text, update
from sqlalchemy.orm import InstrumentedAttribute

from doc_assets.archive.ledger.database import Database
from doc_assets.archive.ledger.rows import delete_in, in_parts, rows_in
from doc_assets.archive.ledger.schema import (
    DocumentRow,
    FormPictureMember,
    FormPictureRow,
    PhotoGroup,
    PhotoGroupMember,
)

Photo = tuple[int, int]
"""Row of ``documents`` and place of the photo in it, from 0; -1 for the file as a whole."""
Edge = tuple[Photo, Photo]
_LOCK = 7_202_611_27  # any number; PostgreSQL advisory lock of changes to sets of photos


@contextlib.contextmanager
def changing_sets(database: Database) -> Iterator[Connection]:
    """A transaction that changes sets of photos; others wait for it. SQLite takes its write lock anyway."""
    with database.writing() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        yield connection


def components(edges: Iterable[Edge]) -> list[list[Photo]]:
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


class PhotoSets:
    """A table of sets with the table of their members; every photo is in one set at most.

    Args:
        sets: table of the sets.
        members: table of the photos in them.
        set_id: name of the column that numbers the sets, in both tables.
    """

    def __init__(
        self, sets: type[PhotoGroup | FormPictureRow], members: type[PhotoGroupMember | FormPictureMember], set_id: str
    ) -> None:
        self._sets, self._members, self._name = sets, members, set_id
        self._id: InstrumentedAttribute[int] = getattr(sets, set_id)
        self._of: InstrumentedAttribute[int] = getattr(members, set_id)

    def containing(self, connection: Connection, photos: Collection[Photo]) -> dict[Photo, int]:
        """The set of each of these photos that is in one."""
        query = select(self._members.row_id, self._members.photo, self._of)
        rows = rows_in(connection, query, self._members.row_id, {row for row, _ in photos})
        return {(row, photo): found for row, photo, found in rows if (row, photo) in photos}

    def superseded(self, connection: Connection, document_ids: Collection[str]) -> set[int]:
        """Versions of these documents, by row, that are no longer current and have photos in sets."""
        query = (
            select(self._members.row_id)
            .distinct()
            .join(DocumentRow, DocumentRow.id == self._members.row_id)
            .where(~DocumentRow.is_current)
        )
        return {row for (row,) in rows_in(connection, query, DocumentRow.document_id, document_ids)}

    def with_photos_of(self, connection: Connection, row_ids: Collection[int]) -> set[int]:
        """The sets that photos of these documents are in."""
        query = select(self._of).distinct()
        return {found for (found,) in rows_in(connection, query, self._members.row_id, row_ids)}

    def met(self, edges: Sequence[Edge], known: dict[Photo, int]) -> list[tuple[list[int], list[Photo], list[Photo]]]:
        """What new edges connect: the sets of the ``known`` photos in it, ascending, its photos, and the new ones."""
        first: dict[int, Photo] = {}
        same = [(first.setdefault(found, photo), photo) for photo, found in known.items()]
        return [
            (
                sorted({known[photo] for photo in photos if photo in known}),
                photos,
                [photo for photo in photos if photo not in known],
            )
            for photos in components([*edges, *same])
        ]

    def merge(self, connection: Connection, target: int, others: Collection[int]) -> None:
        """Moves the photos of other sets into ``target``; the others go."""
        for part in in_parts(others):
            connection.execute(update(self._members).where(self._of.in_(part)).values({self._name: target}))
        delete_in(connection, self._sets, self._id, others)

    def new(self, connection: Connection, **values: Any) -> int:  # noqa: ANN401 - columns of either table
        """Makes a set without photos; returns its number."""
        made = connection.execute(insert(self._sets).values(n_photos=0, n_documents=0, n_merchants=0, **values))
        (set_id,) = made.inserted_primary_key or (0,)
        return int(set_id)

    def remove(self, connection: Connection, set_id: int) -> None:
        """Removes a set that has no photos."""
        connection.execute(delete(self._sets).where(self._id == set_id))
