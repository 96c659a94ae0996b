"""Two photos as the pair viewer takes them, and what is known of both documents beside each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from doc_assets.archive.ledger.cases import CasePair
from doc_assets.archive.ledger.results import PhotoPair
from doc_assets.archive.ledger.rows import Document
from doc_assets.util.visible import visible
from doc_assets.web.queue import photo_address
from doc_assets.web.wording import date_source_name, say

Viewed = dict[str, Any]
"""A pair as ``static/desk/pair_viewer.js`` reads it."""
_NEARLY = 0.99
_SAME = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of what is known of both documents; a difference is marked where it says something."""

    name: str
    own: str
    other: str
    differs: bool


def percent(probability: float) -> str:
    """In whole per cent, never rounded to certainty: 100% is an identical file alone."""
    if probability >= 1:
        return "100%"
    return ">99%" if probability > _NEARLY else f"{probability:.0%}"


def viewed(
    pair: PhotoPair | None,
    own: str | None,
    own_page: str | None,
    other: Document | None,
    other_photo: int,
    *,
    is_whole_file: bool,
) -> Viewed:
    """What the viewer needs of a pair.

    Args:
        pair: as in the result; None between identical files.
        own: address of the photo's picture; None if there is none.
        own_page: the same of its page.
        other: the other document; None if it is gone.
        other_photo: of it, from 0.
        is_whole_file: whether the files are compared, which one transform lays over each other.
    """
    return {
        "otherName": visible(other.file_name) if other else "",
        "own": own,
        "other": photo_address(other.id, -1 if is_whole_file else other_photo, 1024) if other else None,
        "ownPage": own_page,
        "otherPage": page_address(other.id, pair.page) if other and pair else None,
        "transform": pair.transform if pair else (_SAME if is_whole_file else None),
        "mirrored": pair.mirrored if pair else False,
        "quarterTurns": pair.quarter_turns if pair else 0,
        "lines": pair.lines if pair else None,
    }


def viewed_pair(row_id: int, pair: CasePair, documents: Mapping[int, Document]) -> Viewed:
    """What the viewer needs of a pair of the document of this number; ``documents`` hold the other, if it is there."""
    facts = pair.pair
    own_page = page_address(row_id, facts.query_page) if facts else None
    other = documents.get(pair.other_row) if pair.other_row is not None else None
    own = photo_address(row_id, pair.photo, 1024)
    return viewed(facts, own, own_page, other, pair.other_photo, is_whole_file=pair.photo < 0)


def page_address(row_id: int, number: int) -> str:
    """Where a page's picture is; pages from 1."""
    return str(reverse("page", args=[row_id, number]))


def known_of(document: Document | None) -> dict[str, str]:
    """What is known of a document, by name, as it may be shown; nothing of none."""
    if document is None:
        return {}
    return {
        say("document"): visible(document.file_name),
        say("merchant"): visible(document.merchant_id or "-"),
        say("date"): f"{document.document_date} ({date_source_name(document.date_source)})",
        say("drop"): document.drop_key,
        **{visible(name): visible(value) for name, value in document.fields.items()},
    }


def facts_of(left: Mapping[str, str], right: Mapping[str, str]) -> list[Fact]:
    """Both beside each other; names, dates and drops differ always, which says nothing."""
    always_differ = {say("document"), say("date"), say("drop")}

    def fact(name: str) -> Fact:
        one, two = left.get(name, "-"), right.get(name, "-")
        return Fact(name, one, two, name not in always_differ and one != two and "-" not in {one, two})

    return [fact(name) for name in dict.fromkeys((*left, *right))]
