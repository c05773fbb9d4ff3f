"""Folders of hubs, tiny and random, written by the libraries that publish them."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from sparsescope.checkpoints.kinds.hugging_face import _silent

CLASSES = 5
_VIT: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": 32,
    "patch_size": 8,
}
_SQUARE = {"height": 32, "width": 32}
_EDGE = {"shortest_edge": 32}
# Model type -> options of its configuration, its image processor, and options of that.
FAMILIES: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "ResNet": (
        {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"},
        "ConvNext",
        {"size": _EDGE},
    ),
    "ViT": (_VIT, "ViT", {"size": _SQUARE}),
    "DeiT": (_VIT, "DeiT", {"size": {"height": 36, "width": 36}, "crop_size": _SQUARE}),
    "Swin": (
        {"embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2], "image_size": 32, "window_size": 4},
        "ViT",
        {"size": _SQUARE},
    ),
    "ConvNext": ({"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2}, "ConvNext", {"size": _EDGE}),
    "MobileNetV2": (
        {"depth_multiplier": 0.25, "image_size": 32},
        "MobileNetV2",
        {"size": {"shortest_edge": 36}, "crop_size": _SQUARE},
    ),
    "MobileViT": (
        {
            "hidden_sizes": [8, 8, 8],
            "neck_hidden_sizes": [4, 4, 4, 4, 8, 8, 8],
            "num_attention_heads": 2,
            "image_size": 32,
        },
        "MobileViT",
        {"size": {"shortest_edge": 36}, "crop_size": _SQUARE},
    ),
}


def hugging_face(family: str, **options: Any) -> tuple[nn.Module, Any]:
    """Return a classifier of transformers and its image processor, for images of 32 × 32 px."""
    with _silent():
        import transformers

        own, processor, settings = FAMILIES[family]
        config = getattr(transformers, f"{family}Config")(num_labels=CLASSES, **own | options)
        network = getattr(transformers, f"{family}ForImageClassification")(config)
        return stirred(network), getattr(transformers, f"{processor}ImageProcessor")(**settings)


def save_hugging_face(folder: Path, network: Any, processor: Any = None, **options: Any) -> None:
    with _silent():
        network.save_pretrained(folder, **options)
        if processor is not None:
            processor.save_pretrained(folder)


def timm_network(name: str, **options: Any) -> nn.Module:
    with _silent():
        import timm

        return stirred(timm.create_model(name, num_classes=CLASSES, **options))


def save_timm(folder: Path, network: nn.Module, **options: Any) -> None:
    from timm.models import save_for_hf

    save_for_hf(network, str(folder), safe_serialization=True, **options)


def stirred(network: nn.Module) -> nn.Module:
    """Return the network in eval mode, with weights that are different everywhere and answers that are not tiny."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            scale = 0.1 if parameter.ndim < 2 else (2 / parameter[0].numel()) ** 0.5
            mean = 1.0 if parameter.ndim < 2 else 0.0
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale + mean)
    return network.eval()


def halved(network: nn.Module, remove: bool = True) -> nn.Module:
    """Prune half of the weights of every layer; with its masks beside them unless these are removed."""
    for child in network.modules():
        if isinstance(child, nn.Conv2d | nn.Linear):
            prune.l1_unstructured(child, "weight", amount=0.5)
            if remove:
                prune.remove(child, "weight")
    return network


def images(count: int = 3, size: int = 32) -> Tensor:
    """Return images as bytes: (N, 3, S, S)."""
    return torch.randint(0, 256, (count, 3, size, size), generator=torch.Generator().manual_seed(2), dtype=torch.uint8)


def write_data(folder: Path) -> None:
    """Write `data.npz`: 20 images of 32 × 32 px."""
    np.savez(folder / "data.npz", images=images(20).permute(0, 2, 3, 1).numpy(), labels=np.arange(20) % CLASSES)


def answers(network: nn.Module, values: Tensor) -> Tensor:
    """Return the logits of a network for normalized images."""
    with torch.no_grad(), warnings.catch_warnings():
        found: Any = network(values)
    return found if isinstance(found, Tensor) else found.logits
