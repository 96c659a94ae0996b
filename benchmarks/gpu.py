"""A GPU against the processor: do both make the same vectors, how many photos per second, what happens without memory.

    python -m benchmarks.gpu [--photos 512] [--checkpoint FOLDER]

Drawn pictures and attacked copies of them are embedded on the processor and on the GPU, by the built-in embedder and
by a transformers encoder: the one in ``--checkpoint``, else a ViT-B/16 with random weights, which is as fast and rounds
as much as a trained one. An archive may be embedded on one and searched from the other, so the cosine of both vectors
of a photo and the share of copies whose nearest picture is the same one are what counts. The last row embeds with so
little of the memory of the GPU that a batch does not fit and has to be halved.
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.report import Row, arguments, print_table, save
from doc_assets.datatypes import RgbImage
from doc_assets.features.embedders.base import Embedder, make_embedder
from doc_assets.lab.attacks import ATTACKS, attack
from doc_assets.lab.pictures import draw_picture

FIRST = 34_000_000
BATCH = 64
SCARCE_BYTES = 1_500_000_000
"""Of the memory of the GPU for the last row: the weights of a ViT-B/16 and a few photos, not a batch of 64."""


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--photos", type=int, default=512, help="pictures, and as many attacked copies")
    parser.add_argument("--checkpoint", type=Path, help="folder of an image encoder; default: random weights")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("torch sees no CUDA device; this benchmark compares one with the processor.")
    pictures = [draw_picture(FIRST + number, 400) for number in range(options.photos)]
    names = list(ATTACKS)
    copies = [attack(names[number % len(names)], picture, number) for number, picture in enumerate(pictures)]
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = options.checkpoint or _random_encoder(Path(folder))
        rows = [
            _compared("gist", {}, pictures, copies),
            _compared("transformers", {"checkpoint": str(checkpoint)}, pictures, copies),
            _scarce(str(checkpoint), pictures),
        ]
    print_table(rows)
    gpu = {"gpu": torch.cuda.get_device_name(0), "torch": torch.__version__}
    save("gpu", {"photos": options.photos, "checkpoint": str(options.checkpoint or "random ViT-B/16"), **gpu}, rows)


def _random_encoder(folder: Path) -> Path:
    from transformers import ViTConfig, ViTImageProcessor, ViTModel

    torch.manual_seed(0)
    ViTModel(ViTConfig()).eval().save_pretrained(folder, safe_serialization=True)
    ViTImageProcessor().save_pretrained(folder)
    return folder


def _compared(name: str, settings: dict[str, str], pictures: Sequence[RgbImage], copies: Sequence[RgbImage]) -> Row:
    vectors, speeds = {}, {}
    for device in ("cpu", "cuda"):
        embedder = make_embedder(name, dict(settings), device=device, batch_size=BATCH)
        embedder.embed(pictures[:BATCH])  # libraries choose their kernels
        began = time.perf_counter()
        vectors[device] = embedder.embed([*pictures, *copies])
        speeds[device] = 2 * len(pictures) / (time.perf_counter() - began)
    cosines = (vectors["cpu"] * vectors["cuda"]).sum(axis=1)
    n = len(pictures)
    nearest = {archive: _nearest(vectors["cpu"][n:], vectors[archive][:n]) for archive in vectors}
    return {
        "embedder": name,
        "photos": 2 * n,
        "least cosine": float(cosines.min()),
        "mean cosine": float(cosines.mean()),
        "same nearest": float((nearest["cpu"] == nearest["cuda"]).mean()),
        "right nearest, archive by CPU": float((nearest["cpu"] == np.arange(n)).mean()),
        "right nearest, archive by GPU": float((nearest["cuda"] == np.arange(n)).mean()),
        "photos/s CPU": speeds["cpu"],
        "photos/s GPU": speeds["cuda"],
        "GPU peak MB": torch.cuda.max_memory_allocated() / 1e6,
    }


def _nearest(queries: NDArray[np.float32], archive: NDArray[np.float32]) -> NDArray[np.intp]:
    nearest: NDArray[np.intp] = (queries @ archive.T).argmax(axis=1)
    return nearest


def _scarce(checkpoint: str, pictures: Sequence[RgbImage]) -> Row:
    """As many photos as two batches, with too little memory for one."""
    wanted = 8 * BATCH
    embedder: Embedder = make_embedder("transformers", {"checkpoint": checkpoint}, device="cuda", batch_size=wanted)
    few = list(pictures[: min(wanted, len(pictures))])
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(SCARCE_BYTES / torch.cuda.get_device_properties(0).total_memory)
    torch.cuda.reset_peak_memory_stats()
    try:
        vectors = embedder.embed(few)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    return {
        "embedder": f"transformers, {SCARCE_BYTES / 1e6:.0f} MB, batches of {wanted}",
        "photos": len(vectors),
        "batch left": getattr(embedder, "batch_size", None),
        "GPU peak MB": torch.cuda.max_memory_allocated() / 1e6,
    }


if __name__ == "__main__":
    main()
