"""What a search could not do or compare; the rest of it was done."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

SearchStage = Literal["reading", "page", "photo", "retrieval", "pair", "result"]


@dataclass(frozen=True, slots=True)
class SearchFault:
    """One thing that a search lacks.

    Attributes:
        stage: where it broke: reading the query document, a page of it, a photo of it, looking for candidates,
            comparing a pair of photos, making the result.
        reason: in words.
        query_page: of the query document, from 1; None if it is about no page.
        query_photo: of the query document, from 0; None if it is about no photo.
        document: file name of the other document of a pair; None if it is about no pair.
        photo: of that document, from 0.
    """

    stage: SearchStage
    reason: str
    query_page: int | None = None
    query_photo: int | None = None
    document: str | None = None
    photo: int | None = None

    def entry(self) -> dict[str, Any]:
        """As it stands in ``faults`` of a result."""
        return asdict(self)


def describe(fault: dict[str, Any]) -> str:
    """An entry in one line: where, then why."""
    where = []
    if fault["query_page"] is not None:
        where.append(f"page {fault['query_page']}")
    if fault["query_photo"] is not None:
        where.append(f"photo {fault['query_photo'] + 1}")
    if fault["document"] is not None:
        against = fault["document"] if fault["photo"] is None else f"photo {fault['photo'] + 1} of {fault['document']}"
        where.append(f"against {against}")
    return f"{', '.join(where) or fault['stage']}: {fault['reason']}"
