"""Real image encoders of several architectures, too small to know anything."""

from pathlib import Path

SIZE = {"height": 32, "width": 32}


def save_vit(folder: Path, seed: int = 0) -> Path:
    """A random ViT; returns the folder."""
    from transformers import ViTConfig, ViTModel

    config = ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=32, patch_size=8
    )
    return _save(ViTModel, config, folder, seed)


def save_dinov2(folder: Path) -> Path:
    """A random DINOv2."""
    from transformers import Dinov2Config, Dinov2Model

    config = Dinov2Config(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, mlp_ratio=1, image_size=32, patch_size=8
    )
    return _save(Dinov2Model, config, folder)


def save_clip(folder: Path) -> Path:
    """A random CLIP with a picture and a text side."""
    from transformers import CLIPConfig, CLIPModel

    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = CLIPConfig(
        text_config=small, vision_config={**small, "image_size": 32, "patch_size": 8}, projection_dim=24
    )
    return _save(CLIPModel, config, folder)


def save_siglip(folder: Path) -> Path:
    """A random SigLIP."""
    from transformers import SiglipConfig, SiglipModel

    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = SiglipConfig(text_config=small, vision_config={**small, "image_size": 32, "patch_size": 8})
    return _save(SiglipModel, config, folder)


def save_convnext(folder: Path) -> Path:
    """A random ConvNeXt."""
    from transformers import ConvNextConfig, ConvNextModel

    return _save(ConvNextModel, ConvNextConfig(hidden_sizes=[8, 16, 16, 24], depths=[1, 1, 1, 1]), folder)


def save_resnet(folder: Path) -> Path:
    """A random ResNet."""
    from transformers import ResNetConfig, ResNetModel

    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16, 24, 40], depths=[1, 1, 1, 1])
    return _save(ResNetModel, config, folder)


def save_efficientnet(folder: Path) -> Path:
    """A random EfficientNet."""
    from transformers import EfficientNetConfig, EfficientNetModel

    config = EfficientNetConfig(
        width_coefficient=0.1, depth_coefficient=0.1, hidden_dim=128, image_size=32, initializer_range=0.5
    )
    return _save(EfficientNetModel, config, folder)


def _save(model_class, config, folder: Path, seed: int = 0) -> Path:
    import torch
    from transformers import ViTImageProcessor

    torch.manual_seed(seed)
    model_class(config).eval().save_pretrained(folder, safe_serialization=True)
    ViTImageProcessor(size=SIZE).save_pretrained(folder)
    return folder
