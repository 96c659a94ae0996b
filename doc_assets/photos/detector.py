"""Finds photos with a trained object detector from a local folder."""

import json
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from PIL import Image
from typing_extensions import override

from doc_assets.datatypes import Box, RgbImage
from doc_assets.errors import MissingModelError, SettingsError
from doc_assets.photos.base import PhotoArea, PhotoExtractor, photo_extractors, reading_order
from doc_assets.util.files import sha256_of_files


@photo_extractors.register("detector")
class DetectorExtractor(PhotoExtractor):
    """Any object-detection checkpoint that transformers loads (DETR, RT-DETR, YOLOS, ...).

    Args:
        checkpoint: folder with ``config.json``, a preprocessor and safetensors weights.
        class_names: labels that count as photos, as the checkpoint names them; all labels if empty.
        min_score: detections below it are dropped, in [0, 1].
        max_overlap: of two detections that overlap more (intersection over union), the weaker one is dropped.
        device: ``cpu`` or ``cuda``.
    """

    version = "detector-1"

    def __init__(
        self,
        checkpoint: str,
        class_names: Sequence[str] = (),
        min_score: float = 0.5,
        max_overlap: float = 0.5,
        device: str = "cpu",
    ) -> None:
        folder = Path(checkpoint)
        config = folder / "config.json"
        if not config.is_file():
            raise MissingModelError(
                f"The detector needs a checkpoint folder, {folder} has no config.json. "
                "Set checkpoint in DOC_ASSETS_PHOTO_EXTRACTOR_OPTIONS to a folder with a transformers model."
            )
        self._folder, self._min_score, self._max_overlap = folder, min_score, max_overlap
        self._device = device
        self._labels = _labels(json.loads(config.read_text(encoding="utf-8")), class_names)
        self._model: Any = None
        self._processor: Any = None
        self._lock = Lock()
        digest = sha256_of_files(config, *sorted(folder.glob("*.safetensors")))
        self.version = f"detector-1/{digest[:12]}/{sorted(self._labels)}/{min_score:g}/{max_overlap:g}"

    @override
    def find(self, page: RgbImage) -> list[PhotoArea]:
        import torch

        height, width = page.shape[:2]
        with self._lock:  # one model, called by several decoder threads
            self._load()
            inputs = self._processor(images=Image.fromarray(page), return_tensors="pt").to(self._device)
            with torch.inference_mode():
                outputs = self._model(**inputs)
            (detections,) = self._processor.post_process_object_detection(
                outputs, threshold=self._min_score, target_sizes=[(height, width)]
            )
        scored = zip(
            detections["scores"].tolist(), detections["labels"].tolist(), detections["boxes"].tolist(), strict=True
        )
        boxes = [
            Box.clipped(corners[0], corners[1], corners[2], corners[3], width, height)
            for _, label, corners in sorted(scored, reverse=True)
            if label in self._labels and _on_page(corners, width, height)
        ]
        return reading_order([PhotoArea(box) for box in _without_overlaps(boxes, self._max_overlap)])

    def _load(self) -> None:
        if self._model is not None:
            return
        from transformers import AutoImageProcessor, AutoModelForObjectDetection

        try:
            self._processor = AutoImageProcessor.from_pretrained(self._folder, local_files_only=True)
            model = AutoModelForObjectDetection.from_pretrained(
                self._folder, local_files_only=True, use_safetensors=True
            )
        except (OSError, ValueError) as error:
            raise MissingModelError(f"The detector in {self._folder} cannot be loaded: {error}") from error
        self._model = model.eval().to(self._device)


def _labels(config: dict[str, Any], class_names: Sequence[str]) -> frozenset[int]:
    known = {name: int(number) for number, name in config.get("id2label", {}).items()}
    missing = sorted(set(class_names) - known.keys())
    if missing:
        raise SettingsError(
            f"The detector knows no class {', '.join(missing)}; it knows {', '.join(sorted(known))}. "
            "Correct class_names in DOC_ASSETS_PHOTO_EXTRACTOR_OPTIONS."
        )
    return frozenset(known[name] for name in class_names) or frozenset(known.values())


def _on_page(corners: Sequence[float], width: int, height: int) -> bool:
    left, top, right, bottom = corners
    return min(round(right), width) > max(round(left), 0) and min(round(bottom), height) > max(round(top), 0)


def _without_overlaps(boxes: Sequence[Box], max_overlap: float) -> list[Box]:
    """Boxes from the strongest on, those that repeat a stronger one left out."""
    kept: list[Box] = []
    for box in boxes:
        if all(box.overlap(other) <= max_overlap for other in kept):
            kept.append(box)
    return kept
