"""What is asked of a search."""

import getpass
import os
from dataclasses import asdict, dataclass
from typing import Any

from doc_assets.errors import SettingsError
from doc_assets.search.findings import LABELS_VERSION, Thresholds
from doc_assets.search.ranking import Aggregation, MatchRule


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What is asked for.

    Attributes:
        top_k: neighbours of every query photo.
        top_doc: documents reported for every query document.
        aggregation: how photo matches make a document's score; see ``ranking``.
        include_batch: whether the documents searched together are compared with each other too.
        match_probability: a verified photo pair at least this probable counts as matched.
        match_similarity: one of a search that does not verify counts as matched from this similarity on.
        flag_risk: a document is flagged from this risk score on.
        count_other_shots: whether another shot of a scene counts as the photograph itself.
        form_picture_merchants: so many merchants show a picture of the form at the same place of the page.
        similar_doc_flag_threshold, non_authentic_image_classes: of ``legacy.fraud_doc_probability``.
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
    match_probability: float = 0.5
    match_similarity: float = 0.7
    flag_risk: float = 0.5
    count_other_shots: bool = False
    form_picture_merchants: int = 3
    similar_doc_flag_threshold: float = 0.8
    non_authentic_image_classes: tuple[str, ...] = ()
    use_words: bool = True
    exclude_own_merchant: bool = False
    verify: bool = True
    privacy_mode: bool = True
    output_folder: str = ""

    @property
    def rule(self) -> MatchRule:
        """When a photo pair counts as matched."""
        return MatchRule(self.match_probability, self.match_similarity)

    @property
    def thresholds(self) -> Thresholds:
        """What turns the facts of its results into labels."""
        return Thresholds(
            self.match_probability,
            self.match_similarity,
            self.flag_risk,
            self.count_other_shots,
            self.form_picture_merchants,
            self.similar_doc_flag_threshold,
            self.non_authentic_image_classes,
        )

    def __post_init__(self) -> None:
        if self.top_k < 1 or self.top_doc < 1:
            raise SettingsError(f"top_k and top_doc must be at least 1, got {self.top_k} and {self.top_doc}")


def recorded_settings(request: SearchRequest) -> dict[str, Any]:
    """The request as a search keeps it, with the version of its labels."""
    return {**asdict(request), "labels": LABELS_VERSION}


def requesting_user() -> str:
    """Who asks: the user of this process, or its number where it has no name, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
