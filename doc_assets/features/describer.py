"""Photo -> keypoints and words, under one id."""

from dataclasses import dataclass

from doc_assets.datatypes import LocalFeatures, RgbImage, SparseVector
from doc_assets.features.sift import VERSION, SiftExtractor
from doc_assets.features.words import VisualWords
from doc_assets.util.files import sha256_of


@dataclass(frozen=True, slots=True)
class Describer:
    """What finds and names a photo's local features.

    Attributes:
        extractor: finds keypoints.
        words: names them.
    """

    extractor: SiftExtractor
    words: VisualWords

    @property
    def features_id(self) -> str:
        """Method and digest; features with different ids may never be compared."""
        made_with = f"{VERSION}|{self.extractor.max_features}|{self.words.sha256}"
        return f"sift-{sha256_of(made_with.encode())[:8]}"

    def describe(self, photo: RgbImage) -> tuple[LocalFeatures, SparseVector]:
        """The photo's keypoints and words."""
        features = self.extractor.extract(photo)
        return features, self.words.encode(features)
