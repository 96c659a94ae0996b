"""Any image encoder that transformers loads: DINOv2, SigLIP, CLIP, ViT, ConvNeXt, ResNet, EfficientNet, ..."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from PIL import Image
from typing_extensions import override

from doc_assets.datatypes import RgbImage
from doc_assets.errors import MissingModelError, SettingsError
from doc_assets.features.embedders.base import TorchEmbedder, embedders
from doc_assets.util.files import sha256_of_files

if TYPE_CHECKING:
    import torch

Pooling = Literal["auto", "image_features", "cls", "pooler", "mean"]

_CLS_TOKEN_MODELS = {"dinov2", "dinov2_with_registers", "dinov3_vit", "vit", "deit", "beit", "data2vec-vision"}
"""Their pooled output passes a layer that only supervised training fits; the class token is the descriptor."""
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TOKENS_NDIM = 3


@embedders.register("transformers")
class TransformersEmbedder(TorchEmbedder):
    """The pooled output of an ``AutoModel`` checkpoint with safetensors weights.

    Args:
        checkpoint: a local folder, or a hub id together with ``revision``.
        revision: the commit of a hub id, 40 hex digits; a branch name would change under us.
        pooling: what of the output is the vector; ``auto`` decides by architecture.
        allow_download: whether a hub id may be fetched; otherwise it must be in the local cache.
        device: ``auto``, ``cpu`` or ``cuda``.
        batch_size: photos per forward pass.
    """

    name = "transformers"

    def __init__(
        self,
        checkpoint: str = "",
        revision: str | None = None,
        pooling: Pooling = "auto",
        allow_download: bool = False,
        device: str = "auto",
        batch_size: int = 32,
    ) -> None:
        super().__init__(device, batch_size)
        folder = _folder(checkpoint, revision, allow_download)
        self.weights_sha256 = _digest(folder)
        self._processor, self._model = _load(folder)
        self._model = self._model.eval().to(self.device)
        self._pooling = pooling if pooling != "auto" else _pooling_for(self._model)
        self.preprocessing = f"{type(self._processor).__name__}/{self._pooling}/1"
        self.dim = self._measured_dim()

    @override
    def prepare(self, photo: RgbImage) -> "torch.Tensor":
        pixels: torch.Tensor = self._processor(images=Image.fromarray(photo), return_tensors="pt")["pixel_values"]
        return pixels[0]

    @override
    def forward(self, batch: "torch.Tensor") -> "torch.Tensor":
        vectors: torch.Tensor
        if self._pooling == "image_features":
            features = self._model.get_image_features(pixel_values=batch)
            vectors = getattr(features, "pooler_output", features)  # older releases return a tensor, newer an output
            return vectors
        output = self._model(pixel_values=batch)
        hidden = output.last_hidden_state
        if self._pooling == "cls":
            vectors = hidden[:, 0]
        elif self._pooling == "pooler":
            vectors = output.pooler_output.flatten(1)
        else:
            vectors = hidden.mean(dim=1) if hidden.ndim == _TOKENS_NDIM else hidden.mean(dim=(2, 3))
        return vectors

    def _measured_dim(self) -> int:
        import torch

        grey = self.prepare(np.full((64, 64, 3), 128, np.uint8))
        with torch.inference_mode():
            return int(self.forward(grey[None].to(self.device)).shape[1])


def _folder(checkpoint: str, revision: str | None, allow_download: bool) -> Path:
    """The folder that holds the checkpoint.

    Raises:
        SettingsError: if none is named, or a hub id has no pinned revision.
        MissingModelError: if it is not there.
    """
    if not checkpoint:
        raise SettingsError('The transformers embedder needs DOC_ASSETS_EMBEDDER_OPTIONS={"checkpoint": "<folder>"}.')
    if Path(checkpoint).is_dir():
        return Path(checkpoint)
    if checkpoint.startswith((".", "/")) or checkpoint.count("/") != 1:
        raise MissingModelError(f"The checkpoint folder {checkpoint} does not exist.")
    if revision is None or not _COMMIT.fullmatch(revision):
        raise SettingsError(
            f"Hub checkpoint {checkpoint!r} needs revision = a commit of 40 hex digits, got {revision!r}."
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    kept = ["*.json", "*.safetensors"]
    try:
        return Path(
            snapshot_download(checkpoint, revision=revision, local_files_only=not allow_download, allow_patterns=kept)
        )
    except (LocalEntryNotFoundError, OSError) as error:
        raise MissingModelError(
            f"Hub checkpoint {checkpoint}@{revision} is not in the local cache and was not downloaded: {error} "
            "Copy its folder here and name that, or set allow_download in DOC_ASSETS_EMBEDDER_OPTIONS."
        ) from error


def _digest(folder: Path) -> str:
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise MissingModelError(
            f"{folder} holds no *.safetensors file. Other weight formats can run code when they are loaded and are "
            "not accepted; convert the checkpoint with transformers' save_pretrained."
        )
    return sha256_of_files(folder / "config.json", *weights)


def _load(folder: Path) -> tuple[Any, Any]:
    from transformers import AutoImageProcessor, AutoModel

    options = {"local_files_only": True, "trust_remote_code": False}
    try:
        processor = AutoImageProcessor.from_pretrained(folder, **options)
        model = AutoModel.from_pretrained(folder, use_safetensors=True, **options)
    except (OSError, ValueError, KeyError) as error:
        raise MissingModelError(f"The checkpoint in {folder} cannot be loaded: {error}") from error
    return processor, model


def _pooling_for(model: Any) -> Pooling:  # noqa: ANN401 - transformers' models share no typed base
    if hasattr(model, "get_image_features"):
        return "image_features"
    if model.config.model_type in _CLS_TOKEN_MODELS:
        return "cls"
    return "pooler" if "pooler" in dict(model.named_children()) else "mean"
