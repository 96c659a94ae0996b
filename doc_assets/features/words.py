"""Visual words: every keypoint stands for the nearest entry of a codebook, a photo is a bag of them.

Sivic and Zisserman, "Video Google", ICCV 2003. The weight of a word is the square root of how often it occurs
(a row of equal windows must not drown the rest; Jegou et al., "On the burstiness of visual elements", CVPR 2009),
scaled so that the weights have unit length. How rare a word is in the archive is the store's part.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from doc_assets.datatypes import LocalFeatures, RgbImage, SparseVector, unit_descriptors
from doc_assets.errors import MissingModelError
from doc_assets.features.sift import DESCRIPTOR_DIM, VERSION, SiftExtractor
from doc_assets.features.weight_files import load_weights
from doc_assets.util.files import sha256_of

WEIGHTS_DIR = Path(__file__).with_name("weights")
CODEBOOK = "words.safetensors"


class VisualWords:
    """A codebook of unit descriptors.

    Args:
        weights: a file made by ``doc-assets fit-words``; the package's own by default.

    Raises:
        MissingModelError: if the file is absent, damaged or no codebook.
    """

    def __init__(self, weights: str | Path | None = None) -> None:
        path = Path(weights) if weights else WEIGHTS_DIR / CODEBOOK
        tensors, self.sha256 = load_weights(path)
        codebook = tensors.get("codebook")
        if codebook is None or codebook.shape[1:] != (DESCRIPTOR_DIM,):
            raise MissingModelError(
                f"{path} holds {sorted(tensors)}; wanted is codebook (W, {DESCRIPTOR_DIM}). "
                "Fit it with `doc-assets fit-words`."
            )
        self._codebook = np.ascontiguousarray(codebook.astype(np.float32).T)

    def encode(self, features: LocalFeatures) -> SparseVector:
        """The photo's words; a photo without keypoints has none."""
        if len(features.points) == 0:
            return SparseVector(np.empty(0, np.uint32), np.empty(0, np.float32))
        nearest = (unit_descriptors(features.descriptors) @ self._codebook).argmax(axis=1)
        words, counts = np.unique(nearest, return_counts=True)
        weights = np.sqrt(counts / counts.sum())
        return SparseVector(words.astype(np.uint32), weights.astype(np.float32))


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
