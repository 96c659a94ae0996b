"""Results of searches as values: what was found of each query document, and what follows from it.

A result holds facts (which photos were compared, how alike they are) and labels (which of them match, who was first,
what counts). Labels are made by ``search.findings`` from the facts and the thresholds in use, and can be made again at
any time. Everything that shows a result reads these types; their JSON (``json_codec``) is what the ledger and the
summary file hold, and docs/results.md says what its keys mean.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Annotated, Any, Literal, get_args

import numpy as np
from pydantic import BeforeValidator

from doc_assets.archive.ledger.json_codec import Omitted
from doc_assets.datatypes import Changes, DateSource, Likeness, Look
from doc_assets.sources.merchants import NAME_COLUMN

Relation = Literal["archive", "same_drop", "same_batch"]
PairKind = Literal["same_photograph", "other_shot", "shared_thing", "form_picture", "cannot_tell"]
"""Why two photos are alike; see ``search.kinds.kind_of``."""
Colours = Literal["lost", "gained"]
"""The query photo is grey and the found one coloured, or the reverse."""
CountedKind = Literal["reuse", "same_day", "merchant_unknown"]
AlikeKind = Literal["cannot_tell", "other_shot", "shared_thing", "form_picture"]
FindingKind = CountedKind | AlikeKind | Literal["own_photo_again", "first_use"]
COUNTED: tuple[FindingKind, ...] = get_args(CountedKind)
"""Findings that make the risk; the gravest first."""
ALIKE: tuple[FindingKind, ...] = get_args(AlikeKind)
"""Findings of photos that are alike without showing one photograph; they never count."""

Area = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Overlap:
    """Where two aligned photos show the same.

    Attributes:
        query_share, share: share of the query photo's and of the found photo's area, in [0, 1].
        query_area, area: its outline in each, corners (x, y) in shares of width and height.
        agreement: how alike it looks in both, in [-1, 1].
    """

    query_share: float
    share: float
    query_area: Area
    area: Area
    agreement: float

    def reversed(self) -> "Overlap":
        """The same with the two photos exchanged."""
        return Overlap(self.share, self.query_share, self.area, self.query_area, self.agreement)


@dataclass(frozen=True, slots=True)
class PhotoPair:
    """A photo of the query document and a photo of a found one.

    Attributes:
        query_page, query_photo, query_box: where the query photo stands; pages from 1, photos from 0, boxes in pixels.
        page, photo, box: where the found one stands.
        matched: label: whether the pair counts as one photograph by the thresholds in use.
        kind: label: why the two are alike; None if nothing is to be said of them.
        similarity: cosine of the embeddings, in [-1, 1].
        quarter_turns, mirrored: how the query photo must be mirrored and then turned to look like the found one.
        probability: that both show the same photograph, in [0, 1]; None if the search did not verify.
        inliers: keypoint pairs that agree on one transform; None if keypoints were not compared.
        overlap: where they show the same; None without an alignment.
        likeness: why they are alike, by a dense look at both; None if that was not needed, or not possible.
        looks: how the two look by themselves, if both may be drawn; None if one is clearly a photograph.
        known_form: label: whether what both show is known as a picture of the form, by the ledger or by other pairs of
            the photo; None if nothing is known.
        changes: what was done to the found photo to make the query photo; None if it cannot be told.
        transform: (3, 3), from the query photo (mirrored first if ``mirrored``) to the found one, in shares of width
            and height.
        lines: agreeing keypoints, (x, y) in the query photo and (x, y) in the found one, in shares.
        colours: whether one of the two is grey and the other not; None if not, or if the photos were not looked at.
        uncalibrated: ``probability`` before it was recalibrated by verdicts; None if it was not.
    """

    query_page: int
    query_photo: int
    query_box: tuple[int, ...]
    page: int
    photo: int
    box: tuple[int, ...]
    matched: bool
    similarity: float
    quarter_turns: int
    mirrored: bool
    probability: float | None
    inliers: int | None
    overlap: Omitted[Overlap] = None
    likeness: Omitted[Likeness] = None
    looks: Omitted[tuple[Look, Look]] = None
    known_form: Omitted[bool] = None
    changes: Omitted[Changes] = None
    transform: Omitted[tuple[tuple[float, ...], ...]] = None
    lines: Omitted[tuple[tuple[float, ...], ...]] = None
    kind: Omitted[PairKind] = None
    colours: Omitted[Colours] = None
    uncalibrated: Omitted[float] = None

    @property
    def is_shown(self) -> bool:
        """Whether something is to be said of it."""
        return self.matched or self.kind is not None

    def reversed(self) -> "PhotoPair":
        """The same pair seen from the found document; its similarity is that of the other direction."""
        return replace(
            self,
            query_page=self.page,
            query_photo=self.photo,
            query_box=self.box,
            page=self.query_page,
            photo=self.query_photo,
            box=self.query_box,
            quarter_turns=self.quarter_turns if self.mirrored else -self.quarter_turns % 4,
            overlap=None if self.overlap is None else self.overlap.reversed(),
            looks=None if self.looks is None else (self.looks[1], self.looks[0]),
            changes=None if self.changes is None else _undone(self.changes),
            transform=None if self.transform is None else _inverse(self.transform, mirrored=self.mirrored),
            lines=None if self.lines is None else tuple((*line[2:], *line[:2]) for line in self.lines),
            colours=None if self.colours is None else "gained" if self.colours == "lost" else "lost",
        )


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """A document that shows a photo of the query document, or is byte-identical with it.

    Attributes:
        document, document_id: its file name and id.
        merchant_id: whose it is; None if unknown.
        document_date, date_source: when it was filed, and how that is known; None in results of earlier versions.
        drop: that it came with; None for a document of the same batch.
        relation: whether it lay in the archive, came with the same drop, or was searched together with the query.
        score: by the aggregation of the search.
        exact_duplicate: whether its bytes equal the query document's.
        same_batch: whether it is another query document of the search.
        matches: each query photo's best pair with it, the best first.
        same_merchant: label: whether it is known to be of the query's merchant.
        counts: label: whether it makes the risk of the query document.
        n_matched_photos: label: query photos with a matched pair in it.
        common_name: label: what the names of two different merchants begin with in the key table, as those of a chain
            do; None if they share nothing, or one is not known.
    """

    document: str
    document_id: str
    merchant_id: str | None
    document_date: date | None
    date_source: DateSource | None
    drop: str | None
    relation: Relation
    score: float
    exact_duplicate: bool
    same_batch: bool
    matches: tuple[PhotoPair, ...]
    same_merchant: bool = False
    counts: bool = False
    n_matched_photos: int = 0
    common_name: str | None = None

    @property
    def speaks(self) -> bool:
        """Whether it shows a photo of the query document for certain enough to be said, or one that is like it."""
        return self.exact_duplicate or any(pair.is_shown for pair in self.matches)

    @property
    def probability(self) -> float | None:
        """Of its best pair, 1 for an identical file; None if nothing was verified."""
        if self.exact_duplicate:
            return 1.0
        return max((pair.probability for pair in self.matches if pair.probability is not None), default=None)


def earlier_id(name: str) -> str:
    """The id of a document of this name in results of earlier versions, which knew TIFs alone and wrote no ids."""
    last = name.rsplit("/", 1)[-1]
    return last[: last.rindex(".")] if last.lower().endswith((".tif", ".tiff")) else last


def _completed(entry: Any) -> Any:  # noqa: ANN401 - JSON, or the value itself
    """A found document with what earlier versions did not write."""
    if not isinstance(entry, dict):
        return entry
    return {"document_id": earlier_id(entry["document"]), "document_date": None, "date_source": None} | entry


FoundDocuments = tuple[Annotated[FoundDocument, BeforeValidator(_completed)], ...]
"""As the ledger keeps them."""


@dataclass(frozen=True, slots=True)
class Use:
    """A document that shows a photo, in few words."""

    document: str
    merchant_id: str | None
    document_date: date
    date_source: DateSource


@dataclass(frozen=True, slots=True)
class Finding:
    """What holds of a photo of the query document, or of its file as a whole, beside all others that show the same.

    Attributes:
        photo: from 0 within the document; None for the file as a whole, which others have byte for byte.
        page: from 1; None for the file.
        kind: ``reuse`` someone else's earlier photo; ``same_day`` as another merchant, order unknown;
            ``merchant_unknown`` an earlier photo, of this or another merchant; ``own_photo_again`` first used by this
            merchant; ``first_use`` here. Of a photo that is alike and not the same: ``cannot_tell`` it or another shot,
            ``other_shot`` of the same scene, ``shared_thing`` the same printed thing in both, ``form_picture``.
        counts: whether it makes the document's risk.
        probability: that it shows the photograph of the others, in [0, 1].
        first_use: the earliest document with this photo; the document itself for ``first_use``; of a photo that is only
            alike, the document with the one that is most like it.
        found_in: the document that shows it best among those that speak for the finding; None if there is none left.
        n_documents, n_merchants: other documents that show it, and their known merchants other than this one's.
    """

    photo: int | None
    page: int | None
    kind: FindingKind
    counts: bool
    probability: float
    first_use: Use
    found_in: str | None
    n_documents: int
    n_merchants: int


@dataclass(frozen=True, slots=True)
class ChangedFinding:
    """A document of another drop whose finding changed because of documents that arrived later.

    Attributes:
        document: its name in the results of its drop.
        drop: that it came with.
        was, now: its gravest finding before and since; None for none.
        risk_was, risk: before and since; None if it was not searched for.
        flagged: since.
    """

    document: str
    drop: str
    was: FindingKind | None
    now: FindingKind | None
    risk_was: float | None
    risk: float | None
    flagged: bool


SearchStage = Literal["reading", "page", "photo", "retrieval", "pair", "result", "picture"]


@dataclass(frozen=True, slots=True)
class SearchFault:
    """One thing that a search lacks.

    Attributes:
        stage: where it broke: reading the query document, a page of it, a photo of it, looking for candidates,
            comparing a pair of photos, making the result, keeping or drawing a picture.
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

    def in_words(self) -> str:
        """One line: where, then why."""
        where = []
        if self.query_page is not None:
            where.append(f"page {self.query_page}")
        if self.query_photo is not None:
            where.append(f"photo {self.query_photo + 1}")
        if self.document is not None:
            other = self.document if self.photo is None else f"photo {self.photo + 1} of {self.document}"
            where.append(f"against {other}")
        return f"{', '.join(where)}: {self.reason}" if where else self.reason


FraudProbability = Literal["Very_High", "High", "No"]


@dataclass(frozen=True, slots=True)
class EarlierFields:
    """The earlier system's fields of a result; see ``search.legacy``. None before a result has its labels.

    Attributes:
        fraud_doc_probability: of the document.
        threshold_match_count: found documents that count and are similar.
        image_authenticity: class of every query photo by the name of its file; "unknown" says nothing.
    """

    fraud_doc_probability: Omitted[FraudProbability] = None
    threshold_match_count: Omitted[int] = None
    image_authenticity: Omitted[dict[str, str]] = None


@dataclass(frozen=True, slots=True)
class ResultRecord:
    """One query document's result.

    Attributes:
        query_document: names it within the search.
        document_id: as in the archive.
        position: its place within the search.
        merchant_id: whose it is; None if unknown.
        document_date, date_source: when it was filed, and how that is known; None in results of earlier versions.
        state, error: of reading it.
        n_photos: photos found on it.
        elapsed_s: seconds spent on it.
        top_docs: documents found, best first; all that match, and the best of the others.
        legacy: label: fields of the earlier system's report.
        fields: of the key table's row that names the document, by column.
        faults: what could not be looked for or compared.
        searched: whether it was searched for at all.
        findings: label: one for every photo that others show, the counted ones first.
        risk_score: label: in [0, 1]; None if it could not be searched for.
        doubt: label: the highest probability among pairs below the threshold that would count, in [0, 1].
        flagged: label: whether the risk reaches the threshold.
    """

    query_document: str
    document_id: str
    position: int
    merchant_id: str | None
    document_date: date | None
    date_source: DateSource | None
    state: str
    error: str | None
    n_photos: int
    elapsed_s: float
    top_docs: tuple[FoundDocument, ...]
    legacy: EarlierFields = EarlierFields()
    fields: dict[str, str] = field(default_factory=dict)
    faults: tuple[SearchFault, ...] = ()
    searched: bool = True
    findings: tuple[Finding, ...] = ()
    risk_score: float | None = None
    doubt: float = 0.0
    flagged: bool = False

    def shown_without(self, left_out: Collection[str]) -> "ResultRecord":
        """For files that leave out these columns of key tables: with the names of merchants nothing made of them."""
        if NAME_COLUMN not in left_out:
            return self
        return replace(self, top_docs=tuple(replace(found, common_name=None) for found in self.top_docs))

    @property
    def best_document(self) -> str | None:
        """File name of the first found document."""
        return self.top_docs[0].document if self.top_docs else None

    @property
    def best_score(self) -> float | None:
        """Score of the first found document."""
        return self.top_docs[0].score if self.top_docs else None

    @property
    def best_probability(self) -> float | None:
        """That the first found document shows the same photograph; None without one, or unverified."""
        return self.top_docs[0].probability if self.top_docs else None

    @property
    def finding(self) -> Finding | None:
        """The gravest finding; of equal ones the most probable."""
        return self.findings[0] if self.findings else None

    def found(self, name: str | None) -> FoundDocument | None:
        """The found document of this file name."""
        return next((found for found in self.top_docs if found.document == name), None)


def _undone(changes: Changes) -> Changes:
    """What turns the query photo into the found one."""
    contrast = 1 / changes.contrast if changes.contrast > 0 else 1.0
    return replace(
        changes,
        quarter_turns=changes.quarter_turns if changes.mirrored else -changes.quarter_turns % 4,
        tilt_deg=changes.tilt_deg if changes.mirrored else -changes.tilt_deg,
        scale=round(1 / changes.scale, 3) if changes.scale > 0 else 1.0,
        kept_share=changes.own_share,
        own_share=changes.kept_share,
        contrast=round(contrast, 3),
        brightness=round(-changes.brightness * contrast, 3),
    )


def _inverse(transform: tuple[tuple[float, ...], ...], *, mirrored: bool) -> tuple[tuple[float, ...], ...] | None:
    """Of a transform T that follows a mirroring M: M T^-1 M, so that it follows one again; None if there is none."""
    try:
        inverse = np.linalg.inv(np.array(transform, np.float64))
    except np.linalg.LinAlgError:
        return None
    if mirrored:
        mirror = np.array([[-1.0, 0, 1], [0, 1, 0], [0, 0, 1]])
        inverse = mirror @ inverse @ mirror
    if not np.isfinite(inverse).all() or abs(inverse[2, 2]) < 1e-9:  # noqa: PLR2004 - at infinity
        return None
    return tuple(tuple(round(float(value), 8) for value in row) for row in inverse / inverse[2, 2])


def global_top_docs(results: Sequence[ResultRecord], top_doc: int | None) -> list[str]:
    """Documents by their best photo pair over all queries: the most probable, if pairs were verified, then similar."""
    best: dict[str, tuple[float, float]] = {}
    for result in results:
        for found in result.top_docs:
            pairs = [(pair.probability or 0.0, pair.similarity) for pair in found.matches]
            score = (1.0, 1.0) if found.exact_duplicate else max(pairs, default=(0.0, 0.0))
            best[found.document] = max(score, best.get(found.document, (-1.0, -1.0)))
    return sorted(best, key=lambda document: (*(-value for value in best[document]), document))[:top_doc]
