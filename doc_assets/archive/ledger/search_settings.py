"""What is asked of a search, as the ledger keeps it."""

from dataclasses import dataclass, fields
from typing import Literal

from doc_assets.archive.ledger.json_codec import Omitted
from doc_assets.errors import SettingsError

Aggregation = Literal["max", "sum", "mean"]
"""How photo matches make a document's score; see ``search.ranking``."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What turns facts into labels; see ``search.findings``.

    Attributes:
        match_probability: a verified pair matches from this probability on.
        match_similarity: one of a search that does not verify, from this similarity on.
        flag_risk: a document is flagged from this risk on.
        count_other_shots: whether another shot of a scene counts as the photograph itself.
        form_picture_merchants: so many known merchants show a picture at one place of the page before it is taken for
            the form's, or offered to an operator.
        similar_doc_flag_threshold, non_authentic_image_classes: of the earlier system's rule; see ``search.legacy``.
    """

    match_probability: float = 0.5
    match_similarity: float = 0.7
    flag_risk: float = 0.5
    count_other_shots: bool = False
    form_picture_merchants: int = 3
    similar_doc_flag_threshold: float = 0.8
    non_authentic_image_classes: tuple[str, ...] = ()

    def is_match(self, probability: float | None, similarity: float) -> bool:
        """Whether a pair shows one photograph; ``probability`` is None if it was not verified."""
        return similarity >= self.match_similarity if probability is None else probability >= self.match_probability


@dataclass(frozen=True, slots=True)
class SearchRequest(Thresholds):
    """What is asked for, with the thresholds of its labels.

    Attributes:
        top_k: neighbours of every query photo.
        top_doc: documents reported for every query document.
        aggregation: how photo matches make a document's score.
        include_batch: whether the documents searched together are compared with each other too.
        use_words: whether photos are looked for by their visual words too.
        exclude_own_merchant: whether documents of the query's own merchant are left out before ranking.
        verify: whether the keypoints of candidates are compared.
        privacy_mode: whether no pixel of a query may be kept.
        output_folder: where whoever writes the results as files puts them.
    """

    top_k: int = 10
    top_doc: int = 7
    aggregation: Aggregation = "max"
    include_batch: bool = True
    use_words: bool = True
    exclude_own_merchant: bool = False
    verify: bool = True
    privacy_mode: bool = True
    output_folder: str = ""

    def __post_init__(self) -> None:
        if self.top_k < 1 or self.top_doc < 1:
            raise SettingsError(f"top_k and top_doc must be at least 1, got {self.top_k} and {self.top_doc}")

    @property
    def thresholds(self) -> Thresholds:
        """What turns the facts of its results into labels."""
        return Thresholds(*(getattr(self, each.name) for each in fields(Thresholds)))


@dataclass(frozen=True, slots=True)
class SearchSettings(SearchRequest):
    """A request as it was carried out.

    Attributes:
        labels: version of the rules that labelled the results; None in searches of earlier versions.
        incomplete: what the search did not see of the archive; None if it saw everything.
        pair_model: ``PairModel.model_id`` of what judged its pairs; None in searches of earlier versions.
    """

    labels: Omitted[int] = None
    incomplete: Omitted[str] = None
    pair_model: Omitted[str] = None
