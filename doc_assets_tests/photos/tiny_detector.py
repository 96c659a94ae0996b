"""A real object-detection checkpoint, too small to know anything."""

from pathlib import Path


def save_detector(folder: Path) -> Path:
    """Writes a random YOLOS model with the classes photo and stamp; returns the folder."""
    import torch
    from transformers import YolosConfig, YolosForObjectDetection, YolosImageProcessor

    torch.manual_seed(0)
    config = YolosConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=[64, 64],
        patch_size=16, num_detection_tokens=5, id2label={0: "photo", 1: "stamp"}, label2id={"photo": 0, "stamp": 1},
    )  # fmt: skip
    YolosForObjectDetection(config).save_pretrained(folder, safe_serialization=True)
    YolosImageProcessor(size={"height": 64, "width": 64}, do_pad=False).save_pretrained(folder)
    return folder
